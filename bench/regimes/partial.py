"""Train the last blocks of the model and its head; everything before stays frozen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from bench.contracts import Regime
from bench.errors import NotApplicable
from bench.suite.parameters import Bounds, TrainedParameters, Tuned

if TYPE_CHECKING:
    from torch import nn

    from bench.contracts import Adapted, Context
    from bench.probes.ledger import Ledger


def wholly_trained(module: nn.Module, name: str = "") -> Iterator[str]:
    """The names of its largest parts of which every weight trains."""
    weights = [parameter.requires_grad for parameter in module.parameters()]
    if weights and all(weights) and name:
        yield name
    elif any(weights):
        for child, part in module.named_children():
            yield from wholly_trained(part, f"{name}.{child}" if name else child)


class PartialParameters(TrainedParameters):
    """blocks: how many of the last blocks (layers of a transformer, stages of a convolutional network) to train."""

    blocks: Annotated[int, Field(ge=1)] = Field(2, description="how many of the last blocks train")


class Partial(Regime[PartialParameters]):
    """Fine-tuning of the last blocks."""

    VERSION = 1
    Parameters = PartialParameters
    TUNED = Tuned(
        "learning_rate", 2e-5, 1e-2, start=2e-4,
        kinds={"sgd": Bounds(1e-4, 1.0, 3e-2), "decoder": 1e-4, "convolutional": 1e-3, "image": 3e-4},
    )  # fmt: skip
    TRAINS = True

    def adapt(self, context: Context, ledger: Ledger, parameters: PartialParameters) -> Adapted:
        """Freeze all that is registered before the last `blocks` blocks; what follows them (a last norm) trains too.

        Raises NotApplicable where nothing would stay frozen.
        """
        from bench.training.adapted_model import trained
        from bench.training.build import build

        with ledger.stage("load"):
            model = build(context, pretrained=True)
        stack = context.objective.blocks(model)
        if stack is None or len(stack) <= parameters.blocks:
            count = "no stack of blocks" if stack is None else f"only {len(stack)} blocks"
            raise NotApplicable(f"the model has {count}; `blocks: {parameters.blocks}` leaves nothing frozen")
        first = next(stack[-parameters.blocks].parameters())
        frozen = True
        for parameter in model.backbone.parameters():
            frozen = frozen and parameter is not first
            parameter.requires_grad_(not frozen)
        found = trained(context, ledger, model)
        return replace(found, facts={**found.facts, "trained_modules": list(wholly_trained(model.backbone))})
