"""What every regime that trains by gradient does once it has chosen what to train."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from bench.training.job import Adapted, Job


def trained(job: Job, model: Any) -> Adapted:
    """Train the model's trainable weights on the job's train part."""
    job.train(model)
    return Adapted(
        predict=lambda part: job.objective.answer(job, model.eval(), part),
        trainable=sum(p.numel() for p in model.parameters() if p.requires_grad),
        total=sum(p.numel() for p in model.parameters()),
        stored_bytes=sum(value.numel() * value.element_size() for value in changed(model)),
        backbone=model.backbone,
        model=model,
    )


def changed(model: nn.Module) -> list[Tensor]:
    """What training changed and must be stored: trainable weights, and the statistics kept beside them."""
    found: list[Tensor] = []
    for module in model.modules():
        own = [p for p in module.parameters(recurse=False) if p.requires_grad]
        found += own
        if own:
            found += [buffer for buffer in module.buffers(recurse=False) if buffer.is_floating_point()]
    return found
