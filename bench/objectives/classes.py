"""One class out of several: a linear layer on pooled features, trained by cross-entropy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from bench.modeling.classifier import Classifier
    from bench.modeling.facts import Facts
    from bench.training.goal import Goal
    from bench.training.job import Job, Part

VERSION = 1
ANSWERS = "classes"
TARGETS = "classes"
POOLED = NOISE = True
FLOOR = np.log(1e-12)


def applies(facts: Facts) -> str | None:
    """Every model has features to pool."""
    return None


def build(job: Job, pretrained: bool, frozen: bool, outputs: int | None = None) -> Classifier:
    """A classifier; its head, and a random backbone, come from the initialisation stream.

    frozen: the pretrained weights will not train, and are held in the model's `dtype`; else in fp32.
    outputs: of its head; None for one a class.
    """
    from bench.modeling.loading import classifier
    from bench.training.seeding import stream

    parameters = job.trial.model["parameters"]
    return classifier(
        job.folder,
        classes=len(job.labels) if outputs is None else outputs,
        pooling=job.pooling,
        modality=job.task.MODALITY,
        pretrained=pretrained,
        seed=stream(job.trial.seed, "initialisation"),
        dropout=job.trial.training.get("dropout"),
        dtype=parameters["dtype"] if frozen else "float32",
        trust_remote_code=parameters.get("trust_remote_code", False),
    )


def blocks(model: Classifier) -> Any:
    """The backbone's outermost stack of blocks, or None."""
    from bench.modeling.classifier import blocks

    return blocks(model.backbone)


def goal(job: Job, part: Part) -> Goal:
    """Mean cross-entropy over examples."""
    from bench.training.goal import cross_entropy

    encoded = job.encoded(part.split)
    lengths = np.asarray(encoded.lengths)[part.indices]
    return cross_entropy(lambda rows: encoded.batch(part.indices[rows], job.device), part.labels, lengths, job.device)


def answer(job: Job, model: Classifier, part: Part) -> np.ndarray:
    """Log-probabilities, float32 [1, n, classes]."""
    encoded = job.encoded(part.split)
    found: np.ndarray = job.batched(
        lambda rows: model(encoded.batch(part.indices[rows], job.device)).float().log_softmax(dim=-1),
        np.asarray(encoded.lengths)[part.indices],
        "predict",
    )
    return found[None]


def targets(job: Job, part: Part) -> np.ndarray:
    """Class numbers, int64 [n]."""
    return part.labels


def baselines(job: Job, part: Part) -> dict[str, np.ndarray]:
    """majority: always the training pool's most frequent class."""
    found = np.full((1, len(part.labels), len(job.labels)), FLOOR, dtype=np.float32)
    found[:, :, job.majority] = 0.0
    return {"majority": found}


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
