"""Train every weight, starting from the pretrained ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.suite.parameters import TrainedParameters, Tuned

if TYPE_CHECKING:
    from bench.training.job import Adapted, Job

VERSION = 1
TUNED = Tuned("learning_rate", 1e-5, 3e-4)
LABELS = TRAINS = True


class Parameters(TrainedParameters):
    """No parameters of its own."""


def adapt(job: Job, parameters: Parameters) -> Adapted:
    """Train everything."""
    from bench.training.adapted_model import trained

    return trained(job, job.model(pretrained=True))
