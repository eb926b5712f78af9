"""One of an example's own choices: a linear layer gives each pooled (context, choice) a score, softmax over choices.

As transformers' models for multiple choice do (Zellers et al. 2018 on SWAG); a budget is stratified by the position of
the right choice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bench.objectives import classes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.modeling.heads.classifier import Classifier
    from bench.modeling.models.facts import Facts
    from bench.training.job import Baseline, Job, Part
    from bench.training.loss import Goal

VERSION = 1
ANSWERS = "classes"
TARGETS = "rows"
POOLED = NOISE = False
FLOOR = classes.FLOOR
blocks, lost, constant, doubt, columns = classes.blocks, classes.lost, classes.constant, classes.doubt, classes.columns


def applies(facts: Facts) -> str | None:
    """Every model of text has features to pool."""
    return None


def build(job: Job, pretrained: bool, frozen: bool) -> Classifier:
    """A classifier with one output."""
    return classes.build(job, pretrained, frozen, outputs=1)


def goal(job: Job, part: Part) -> Goal:
    """Mean cross-entropy over examples, each a softmax over its own choices."""
    import torch
    from torch.nn.functional import cross_entropy

    from bench.modeling.encoding.arrays import send
    from bench.training.loss import Goal

    right, lengths = targets(job, part), job.encoded(part.split).lengths[part.indices]

    def loss(model: torch.nn.Module, rows: np.ndarray) -> torch.Tensor:
        wanted = send(torch.from_numpy(right[rows]), job.device)
        return cross_entropy(_scores(job, model, part, rows), wanted, reduction="sum")

    return Goal(loss, np.ones(len(part.indices), dtype=np.int64), lengths)


def answer(job: Job, model: Classifier, part: Part) -> np.ndarray:
    """Log-probabilities, float32 [1, n, most choices of the split], -inf where an example has fewer."""
    found: np.ndarray = job.batched(
        lambda rows: _scores(job, model, part, rows).log_softmax(dim=-1),
        job.encoded(part.split).lengths[part.indices],
        "predict",
    )
    return found[None]


def targets(job: Job, part: Part) -> np.ndarray:
    """The positions of the right choices, int64 [n]."""
    found: np.ndarray = np.asarray(job.examples(part.split).targets, dtype=np.int64)[part.labels]
    return found


def said(source: Sequence[str], target: int) -> str:
    """What an example's answer is in a prompt: the right choice."""
    return source[1 + target]


def baselines(job: Job, part: Part) -> dict[str, Baseline]:
    """majority: the position that is right most often in the training pool, or the last where there are fewer."""
    return {"majority": lambda: _majority(job, part)}


def _majority(job: Job, part: Part) -> np.ndarray:
    inputs = job.examples(part.split).inputs
    counts = np.array([len(one) - 1 for one in inputs])
    found = np.full((1, len(part.indices), int(counts.max())), classes.FLOOR, dtype=np.float32)
    found[0, np.arange(len(part.indices)), np.minimum(job.majority, counts[part.indices] - 1)] = 0.0
    return found


def _scores(job: Job, model: Any, part: Part, rows: np.ndarray) -> Any:
    """One score a choice, fp32 [n, most], -inf where there is none."""
    encoded, indices = job.encoded(part.split), part.indices[rows]
    pairs = encoded.pairs.batch(encoded.flat(indices), job.device)
    return encoded.by_example(model(pairs)[:, 0], indices)
