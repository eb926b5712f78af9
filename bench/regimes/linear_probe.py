"""Solve a linear model on the frozen model's features: a logistic regression, or for numbers a ridge regression."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from bench.errors import Diverged
from bench.suite.parameters import Range, RegimeParameters, Tuned

if TYPE_CHECKING:
    import numpy as np

    from bench.training.job import Adapted, Job, Part

VERSION = 1
TUNED = Tuned("C", 1e-5, 1e1)
LABELS, TRAINS, POOLED = True, False, True
ITERATIONS = 1000


class Parameters(RegimeParameters):
    """C: the inverse strength of the L2 penalty on standardised features."""

    C: Range | None = Field(None, description="one value, or [low, high] to tune over; null: the default")


def adapt(job: Job, parameters: Parameters) -> Adapted:
    """Fit on the train part's features, which are computed once per model and task (`Job.features`)."""
    from sklearn.preprocessing import StandardScaler

    from bench.training.job import Adapted

    part = job.parts["train"]
    width = job.features(part.split).shape[1]
    further = [name for name in job.parts if name not in ("train", "validation", "test")]
    for name in (*further, "validation", "test") if job.trial.purpose == "reported" else ("validation",):
        job.features(job.parts[name].split)  # now, so that their stages time the probe alone
    scaler = StandardScaler()
    with job.stages.stage("train"), job.working("train"):
        scaled = scaler.fit_transform(_features(job, part))
        answers, remarks = job.objective.solve(job, part, scaled, job.trial.tuned["C"], ITERATIONS)
    job.notes += remarks
    job.charge("train", part)
    head = (width + 1) * max(len(job.labels), 1)
    return Adapted(
        lambda asked: answers(scaler.transform(_features(job, asked))),
        trainable=head, total=job.backbone_parameters + head, stored_bytes=4 * (head + 2 * width),
    )  # fmt: skip


def _features(job: Job, part: Part) -> np.ndarray:
    """A part's features, float64 [n, width]. Raises Diverged where one is no finite number."""
    import numpy as np

    rows: np.ndarray = np.asarray(job.features(part.split)[part.indices], dtype=np.float64)
    lost = int((~np.isfinite(rows)).any(axis=1).sum())
    if lost:
        raise Diverged(f"the frozen model's features are not finite numbers for {lost} of {len(rows)} examples")
    return rows
