"""What every regime that trains by gradient does once it has chosen what to train."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from bench.contracts import Adapted, Context, Part, Predictions, Prepared
from bench.probes.ledger import Ledger
from bench.training.fit import fit


def trained(context: Context, ledger: Ledger, model: Any) -> Adapted:
    """Train the model's trainable weights on the train part."""
    found = fit(context, ledger, model)
    every = list(model.parameters())

    def predict(part: Part, prepared: Prepared | None = None) -> Predictions:
        return context.objective.answer(context, model.eval(), part)

    return Adapted(
        predict,
        trainable=ledger.guard("the number of parameters", lambda: _count(p for p in every if p.requires_grad)),
        total=ledger.guard("the number of parameters", lambda: _count(every)),
        stored_bytes=ledger.guard("the size of what is stored", lambda: sum(v.nbytes for v in changed(model))),
        backbone=model.backbone,
        model=model,
        fit=found,
        facts=found.facts,
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
