"""What every regime that trains by gradient does once it has chosen what to train."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from bench.training.job import Adapted, Job


def trained(job: Job, model: Any) -> Adapted:
    """Train the model's trainable weights on the job's train part."""
    job.train(model)
    every = list(model.parameters())
    return Adapted(
        predict=lambda part: job.objective.answer(job, model.eval(), part),
        trainable=job.guard("the number of parameters", lambda: _count(p for p in every if p.requires_grad)),
        total=job.guard("the number of parameters", lambda: _count(every)),
        stored_bytes=job.guard("the size of what is stored", lambda: sum(v.nbytes for v in changed(model))),
        backbone=model.backbone,
        model=model,
    )


def _count(parameters: Iterable[nn.Parameter]) -> int:
    return sum(parameter.numel() for parameter in parameters)


def changed(model: nn.Module) -> list[Tensor]:
    """What training changed and must be stored: trainable weights, and the statistics kept beside them."""
    found: list[Tensor] = []
    for module in model.modules():
        own = [p for p in module.parameters(recurse=False) if p.requires_grad]
        found += own
        if own:
            found += [buffer for buffer in module.buffers(recurse=False) if buffer.is_floating_point()]
    return found
