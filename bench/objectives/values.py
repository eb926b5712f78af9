"""A number: one output on pooled features, trained by its squared error in the training values' standard deviations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bench.objectives import classes

if TYPE_CHECKING:
    from bench.modeling.heads.classifier import Classifier
    from bench.training.job import Baseline, Job, Part, Solved
    from bench.training.loss import Goal

VERSION = 1
ANSWERS = "values"
TARGETS = "rows"
POOLED = NOISE = True
applies, blocks = classes.applies, classes.blocks


def build(job: Job, pretrained: bool, frozen: bool) -> Classifier:
    """As for classes, with one output."""
    return classes.build(job, pretrained, frozen, outputs=1)


def goal(job: Job, part: Part) -> Goal:
    """Mean squared error over examples, of values less the train part's mean, over its standard deviation."""
    import torch

    from bench.modeling.encoding.arrays import send
    from bench.training.loss import Goal

    encoded = job.encoded(part.split)
    mean, deviation = _scale(job)
    wanted = torch.from_numpy((targets(job, part) - mean) / deviation).float()

    def loss(model: torch.nn.Module, rows: np.ndarray) -> torch.Tensor:
        found = model(encoded.batch(part.indices[rows], job.device)).float().squeeze(-1)
        return torch.nn.functional.mse_loss(found, send(wanted[rows], job.device), reduction="sum")

    return Goal(loss, np.ones(len(wanted), dtype=np.int64), np.asarray(encoded.lengths)[part.indices])


def answer(job: Job, model: Classifier, part: Part) -> np.ndarray:
    """In the values' own unit, float64 [1, n]."""
    mean, deviation = _scale(job)
    found = classes.outputs(job, model, part, lambda output: output)
    return found.astype(np.float64).T * deviation + mean


def solve(job: Job, part: Part, features: Any, C: float, iterations: int) -> Solved:
    """A ridge regression, whose penalty 1/C weighs as C does in a logistic regression: values, float64 [1, n]."""
    from sklearn.linear_model import Ridge

    solver = Ridge(alpha=1 / C).fit(features, targets(job, part))
    return lambda rows: solver.predict(rows).astype(np.float64)[None], []


def targets(job: Job, part: Part) -> np.ndarray:
    """float64 [n]."""
    found: np.ndarray = _all(job, part.split)[part.labels]
    return found


def baselines(job: Job, part: Part) -> dict[str, Baseline]:
    """mean: always the training pool's mean; tf-idf: a ridge regression on words."""
    from bench.training.tf_idf import tf_idf

    return {"mean": lambda: np.full((1, len(part.labels)), _all(job, "train").mean()), **tf_idf(job, part)}


def lost(answers: np.ndarray) -> np.ndarray:
    """Where there is a NaN or an infinity."""
    found: np.ndarray = ~np.isfinite(answers).all(axis=0)
    return found


def constant(answers: np.ndarray) -> bool:
    """Whether several examples all got the same number."""
    return answers.shape[1] > 1 and bool((np.ptp(answers, axis=1) == 0).all())


def doubt(targets: np.ndarray, answers: np.ndarray) -> float:
    """Mean squared error."""
    return float(np.square(answers[0] - targets).mean())


def columns(targets: np.ndarray, answers: np.ndarray) -> dict[str, Any]:
    """value, answer."""
    return {"value": np.tile(targets, len(answers)), "answer": answers.reshape(-1)}


def _scale(job: Job) -> tuple[float, float]:
    """The train part's mean, and its standard deviation, or 1 where its values are all alike."""
    known = targets(job, job.parts["train"])
    return float(known.mean()), float(known.std()) or 1.0


def _all(job: Job, split: str) -> np.ndarray:
    """Every value of a split, float64."""
    return np.array(job.examples(split).targets, dtype=np.float64)
