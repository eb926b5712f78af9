"""Any number of labels: one output each on pooled features, trained by binary cross-entropy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bench.metrics.micro_f1 import given_labels
from bench.objectives import classes

if TYPE_CHECKING:
    from bench.training.job import Baseline, Job, Part, Solved
    from bench.training.loss import Goal

VERSION = 1
ANSWERS = "label-sets"
TARGETS = "rows"
POOLED = NOISE = True
FLOOR = 1e-12
applies, blocks, build = classes.applies, classes.blocks, classes.build


def goal(job: Job, part: Part) -> Goal:
    """Mean over examples and labels of the binary cross-entropy, in nats."""
    import torch

    from bench.modeling.encoding.arrays import send
    from bench.training.loss import Goal

    encoded = job.encoded(part.split)
    wanted = torch.from_numpy(targets(job, part)).float()

    def loss(model: torch.nn.Module, rows: np.ndarray) -> torch.Tensor:
        logits = model(encoded.batch(part.indices[rows], job.device)).float()
        return torch.nn.functional.binary_cross_entropy_with_logits(
            logits, send(wanted[rows], job.device), reduction="sum"
        )

    weights = np.full(len(wanted), len(job.labels), dtype=np.int64)
    return Goal(loss, weights, np.asarray(encoded.lengths)[part.indices])


def answer(job: Job, model: Any, part: Part) -> np.ndarray:
    """Each label's probability, float32 [1, n, labels]."""
    return classes.outputs(job, model, part, lambda logits: logits.sigmoid())[None]


def solve(job: Job, part: Part, features: Any, C: float, iterations: int) -> Solved:
    """A logistic regression for each label against its absence: probabilities, float32 [1, n, labels]."""
    wanted, remarks = targets(job, part), []
    solvers = [classes.logistic(features, column, C, iterations) for column in wanted.T]
    stopped = sum(solver is not None and solver.n_iter_.max() >= iterations for solver in solvers)
    if stopped:
        remarks.append(f"the solver stopped at {iterations} iterations before it converged for {stopped} labels")
    if alike := solvers.count(None):
        remarks.append(f"{alike} of {len(solvers)} labels are alike in all training examples: the probe answers so")

    def answers(rows: Any) -> np.ndarray:
        alone = np.tile(wanted[0].astype(np.float32), (rows.shape[0], 1))
        for label, solver in enumerate(solvers):
            if solver is not None:
                alone[:, label] = solver.predict_proba(rows)[:, 1]
        return alone[None]

    return answers, remarks


def targets(job: Job, part: Part) -> np.ndarray:
    """0 or 1 for each label, int8 [n, labels]."""
    found: np.ndarray = _all(job, part.split)[part.labels]
    return found


def baselines(job: Job, part: Part) -> dict[str, Baseline]:
    """majority: a label is given where more than half of the training pool have it; tf-idf: logistic regressions on
    words."""
    from bench.training.tf_idf import tf_idf

    return {"majority": lambda: _majority(job, part), **tf_idf(job, part)}


def _majority(job: Job, part: Part) -> np.ndarray:
    frequent = (_all(job, "train").mean(axis=0) > 0.5).astype(np.float32)
    return np.tile(frequent, (1, len(part.labels), 1))


def lost(answers: np.ndarray) -> np.ndarray:
    """Where a probability is none: a NaN."""
    found: np.ndarray = ~np.isfinite(answers).all(axis=(0, 2))
    return found


def constant(answers: np.ndarray) -> bool:
    """Whether several examples all got the same labels, in every template."""
    chosen = given_labels(answers)
    return chosen.shape[1] > 1 and bool((chosen == chosen[0, 0]).all())


def doubt(targets: np.ndarray, answers: np.ndarray) -> float:
    """Mean binary cross-entropy over examples and labels, in nats, each at most -log(1e-12)."""
    right = np.where(targets == 1, answers[0], 1 - answers[0].astype(np.float64))
    return float(-np.log(np.maximum(right, FLOOR)).mean())


def columns(targets: np.ndarray, answers: np.ndarray) -> dict[str, Any]:
    """labels (their numbers), probabilities."""
    numbers = [np.flatnonzero(row).tolist() for row in targets]
    return {"labels": numbers * len(answers), "probabilities": list(answers.reshape(-1, answers.shape[-1]))}


def _all(job: Job, split: str) -> np.ndarray:
    """Every example's labels in a split, int8 [n, labels]."""
    return np.array(job.examples(split).targets, dtype=np.int8)
