"""One class out of several: a linear layer on pooled features, trained by cross-entropy."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from bench.modeling.heads.classifier import Classifier
    from bench.modeling.models.facts import Facts
    from bench.training.job import Baseline, Job, Part, Solved
    from bench.training.loss import Goal

VERSION = 1
ANSWERS = "classes"
TARGETS = "classes"
POOLED = NOISE = True
FLOOR = np.log(1e-12)


def applies(facts: Facts) -> str | None:
    """Every model has features to pool."""
    return None


def build(job: Job, pretrained: bool, frozen: bool, outputs: int = 0) -> Classifier:
    """A classifier; its head, and a random backbone, come from the initialisation stream.

    frozen: the pretrained weights will not train, and are held in the model's `dtype`; else in fp32.
    outputs: how many numbers the head answers with; 0: one for each of the task's labels.
    """
    from bench.modeling.models.loading import classifier

    return classifier(
        job.folder,
        classes=outputs or len(job.labels),
        pooling=job.pooling,
        modality=job.task.MODALITY,
        pretrained=pretrained,
        **job.loading(frozen),
    )


def blocks(model: Classifier) -> Any:
    """The backbone's outermost stack of blocks, or None."""
    from bench.modeling.heads.classifier import blocks

    return blocks(model.backbone)


def goal(job: Job, part: Part) -> Goal:
    """Mean cross-entropy over examples."""
    from bench.training.loss import cross_entropy

    encoded = job.encoded(part.split)
    lengths = np.asarray(encoded.lengths)[part.indices]
    return cross_entropy(lambda rows: encoded.batch(part.indices[rows], job.device), part.labels, lengths, job.device)


def answer(job: Job, model: Classifier, part: Part) -> np.ndarray:
    """Log-probabilities, float32 [1, n, classes]."""
    return outputs(job, model, part, lambda logits: logits.log_softmax(dim=-1))[None]


def outputs(job: Job, model: Classifier, part: Part, read: Callable[[Tensor], Tensor]) -> np.ndarray:
    """`read` of what the head answers, in fp32, for every example: float32 [n, outputs]."""
    encoded = job.encoded(part.split)
    found: np.ndarray = job.batched(
        lambda rows: read(model(encoded.batch(part.indices[rows], job.device)).float()),
        np.asarray(encoded.lengths)[part.indices],
        "predict",
    )
    return found


def solve(job: Job, part: Part, features: Any, C: float, iterations: int) -> Solved:
    """A logistic regression with an L2 penalty: log-probabilities, float32 [1, n, classes]."""
    solver, remarks = logistic(features, part.labels, C, iterations), []
    if solver is None:
        remarks.append("all training labels are alike: the probe answers that class")
    elif solver.n_iter_.max() >= iterations:
        remarks.append(f"the solver stopped at {iterations} iterations before it converged")

    def answers(rows: Any) -> np.ndarray:
        found = np.full((rows.shape[0], len(job.labels)), FLOOR, dtype=np.float32)
        if solver is not None:
            found[:, solver.classes_] = np.maximum(solver.predict_log_proba(rows), FLOOR)
        else:
            found[:, part.labels[0]] = 0.0
        return found[None]

    return answers, remarks


def logistic(features: Any, labels: np.ndarray, C: float, iterations: int) -> Any:
    """scikit-learn's logistic regression, fitted; None where all labels are alike."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(labels)) < 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=C, max_iter=iterations).fit(features, labels)


def targets(job: Job, part: Part) -> np.ndarray:
    """Class numbers, int64 [n]."""
    return part.labels


def baselines(job: Job, part: Part) -> dict[str, Baseline]:
    """majority: always the training pool's most frequent class; tf-idf: a logistic regression on words."""
    from bench.training.tf_idf import tf_idf

    return {"majority": lambda: _majority(job, part), **tf_idf(job, part)}


def _majority(job: Job, part: Part) -> np.ndarray:
    found = np.full((1, len(part.labels), len(job.labels)), FLOOR, dtype=np.float32)
    found[:, :, job.majority] = 0.0
    return found


def lost(answers: np.ndarray) -> np.ndarray:
    """Where the likeliest class is none: a NaN, an infinity, or nothing possible at all."""
    found: np.ndarray = ~np.isfinite(answers.max(axis=-1)).all(axis=0)
    return found


def constant(answers: np.ndarray) -> bool:
    """Whether one class is the answer to every example, of several, in every template."""
    chosen = answers.argmax(axis=-1)
    return chosen.shape[1] > 1 and bool((chosen == chosen[0, 0]).all())


def doubt(targets: np.ndarray, answers: np.ndarray) -> float:
    """Mean negative log-probability of the labels, in nats, each at most -log(1e-12)."""
    return float(-np.maximum(answers[0][np.arange(len(targets)), targets], FLOOR).mean())


def columns(targets: np.ndarray, answers: np.ndarray) -> dict[str, Any]:
    """label, log_probabilities."""
    templates, count, _ = answers.shape
    kept = np.maximum(answers, FLOOR).astype(np.float32).reshape(templates * count, -1)
    return {"label": np.tile(targets, templates), "log_probabilities": list(kept)}
