"""Solve a logistic regression on the frozen model's features."""

from __future__ import annotations

import warnings
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


class Parameters(RegimeParameters):
    """C: the inverse strength of the L2 penalty on standardised features."""

    C: Range | None = Field(None, description="one value, or [low, high] to tune over; null: the default")


def adapt(job: Job, parameters: Parameters) -> Adapted:
    """Fit on the train part's features, which are computed once per model and task (`Job.features`)."""
    import numpy as np
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from bench.training.job import Adapted

    part = job.parts["train"]
    width = job.features(part.split).shape[1]
    further = [name for name in job.parts if name not in ("train", "validation", "test")]
    for name in (*further, "validation", "test") if job.trial.purpose == "reported" else ("validation",):
        job.features(job.parts[name].split)  # now, so that their stages time the probe alone
    if len(np.unique(part.labels)) < 2:
        job.notes.append("all training labels are alike: the probe answers that class")
    solver = make_pipeline(StandardScaler(), LogisticRegression(C=job.trial.tuned["C"], max_iter=1000))
    with job.stages.stage("train"), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        chosen = _features(job, part)
        if len(np.unique(part.labels)) > 1:
            solver.fit(chosen, part.labels)
            if solver[-1].n_iter_.max() >= 1000:
                job.notes.append("the solver stopped at 1000 iterations before it converged")
    job.charge("train", part)

    def predict(asked: Part) -> np.ndarray:
        found = np.full((len(asked.indices), len(job.labels)), np.log(1e-12), dtype=np.float32)
        rows = _features(job, asked)
        if hasattr(solver[-1], "classes_"):
            found[:, solver[-1].classes_] = np.maximum(solver.predict_log_proba(rows), np.log(1e-12))
        else:
            found[:, part.labels[0]] = 0.0
        return found[None]

    head = (width + 1) * len(job.labels)
    return Adapted(predict, trainable=head, total=job.backbone_parameters + head, stored_bytes=4 * (head + 2 * width))


def _features(job: Job, part: Part) -> np.ndarray:
    """A part's features, float64 [n, width]. Raises Diverged where one is no finite number."""
    import numpy as np

    rows: np.ndarray = np.asarray(job.features(part.split)[part.indices], dtype=np.float64)
    lost = int((~np.isfinite(rows)).any(axis=1).sum())
    if lost:
        raise Diverged(f"the frozen model's features are not finite numbers for {lost} of {len(rows)} examples")
    return rows
