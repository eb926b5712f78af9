"""Train the same architecture with the same tokenizer from random weights: what pretraining is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.suite.parameters import TrainedParameters, Tuned

if TYPE_CHECKING:
    from bench.training.job import Adapted, Job

VERSION = 1
TUNED = Tuned("learning_rate", 1e-4, 3e-3)
LABELS = TRAINS = True
PRETRAINED = False


class Parameters(TrainedParameters):
    """No parameters of its own; it usually wants more epochs than the others."""


def adapt(job: Job, parameters: Parameters) -> Adapted:
    """Train everything, from random weights; the whole model has to be stored."""
    from bench.training.adapted_model import trained

    return trained(job, job.model(pretrained=False))
