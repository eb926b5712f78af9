"""Train the last blocks of the model and its head; everything before stays frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from bench.errors import NotApplicable
from bench.suite.parameters import TrainedParameters, Tuned

if TYPE_CHECKING:
    from bench.training.job import Adapted, Job

VERSION = 1
TUNED = Tuned("learning_rate", 3e-5, 1e-3)
LABELS = TRAINS = True


class Parameters(TrainedParameters):
    """blocks: how many of the last blocks (layers of a transformer, stages of a convolutional network) to train."""

    blocks: Annotated[int, Field(ge=1)] = 2


def adapt(job: Job, parameters: Parameters) -> Adapted:
    """Freeze all that is registered before the last `blocks` blocks; what follows them (a last norm) trains too."""
    from bench.training.adapted_model import trained

    model = job.model(pretrained=True)
    stack = job.objective.blocks(model)
    if stack is None or len(stack) <= parameters.blocks:
        count = "no stack of blocks" if stack is None else f"only {len(stack)} blocks"
        raise NotApplicable(f"the model has {count}; `blocks: {parameters.blocks}` leaves nothing frozen")
    first = next(stack[-parameters.blocks].parameters())
    frozen = True
    for parameter in model.backbone.parameters():
        frozen = frozen and parameter is not first
        parameter.requires_grad_(not frozen)
    return trained(job, model)
