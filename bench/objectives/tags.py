"""A tag for every word: a linear layer on the state of each word's first token, trained by cross-entropy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.objectives import classes

if TYPE_CHECKING:
    from bench.modeling.heads.tagger import Tagger
    from bench.modeling.models.facts import Facts
    from bench.training.job import Baseline, Job, Part
    from bench.training.loss import Goal

VERSION = 1
ANSWERS = "tags"
TARGETS = "rows"
POOLED = NOISE = False
blocks = classes.blocks


def applies(facts: Facts) -> str | None:
    """Every model of text has a state for each token."""
    return None


def build(job: Job, pretrained: bool, frozen: bool) -> Tagger:
    """A tagger on the same backbone as a classifier's."""
    from bench.modeling.heads.tagger import Tagger

    found = classes.build(job, pretrained, frozen)
    return Tagger(found.backbone, len(job.labels), found.dropout.p)


def goal(job: Job, part: Part) -> Goal:
    """Mean cross-entropy over words."""
    import torch
    from torch.nn.functional import cross_entropy

    from bench.modeling.heads.tagger import NOTHING
    from bench.training.loss import Goal

    encoded, targets = job.encoded(part.split), _numbers(job, part)

    def loss(model: torch.nn.Module, rows: np.ndarray) -> torch.Tensor:
        indices = part.indices[rows]
        wanted = encoded.targets(indices, [targets[row] for row in rows], job.device)
        logits = model(encoded.tokens.batch(indices, job.device))
        return cross_entropy(logits.float().flatten(0, 1), wanted.flatten(), ignore_index=NOTHING, reduction="sum")

    weights = np.array([int((encoded.row(index) >= 0).sum()) for index in part.indices], dtype=np.int64)
    return Goal(loss, weights, np.asarray(encoded.lengths)[part.indices])


def answer(job: Job, model: Tagger, part: Part) -> list[list[list[str] | None]]:
    """Each word's tag; `O` for words that were cut off. None where the model's outputs are no finite numbers."""
    import torch

    from bench.modeling.inference.batched import by_length

    encoded, lengths = job.encoded(part.split), _word_counts(job, part)
    batches = by_length(np.asarray(encoded.lengths)[part.indices], job.evaluation_batch)
    found: dict[int, list[str] | None] = {}
    with torch.inference_mode():
        for done, batch in enumerate(batches):
            with job.autocast():
                logits = model(encoded.tokens.batch(part.indices[batch], job.device)).float()
            best = logits.max(dim=-1)
            for position, tags, sure in zip(batch, best.indices.cpu().numpy(), best.values.cpu().numpy(), strict=True):
                row = encoded.row(part.indices[position])
                begins = np.flatnonzero(row >= 0)
                words = ["O"] * lengths[position]
                for at in begins:
                    words[row[at]] = job.labels[tags[at]]
                found[int(position)] = words if np.isfinite(sure[begins]).all() else None
            job.tick("predict", done + 1, len(batches))
    return [[found[position] for position in range(len(part.indices))]]


def targets(job: Job, part: Part) -> list[list[str]]:
    """Tag names."""
    return [[job.labels[tag] for tag in tags] for tags in _numbers(job, part)]


def baselines(job: Job, part: Part) -> dict[str, Baseline]:
    """majority: no word is part of an entity."""
    return {"majority": lambda: [[["O"] * count for count in _word_counts(job, part)]]}


def lost(answers: Sequence[Sequence[Any]]) -> np.ndarray:
    """Where there is none."""
    return np.array([any(one[row] is None for one in answers) for row in range(len(answers[0]))])


def constant(answers: Sequence[Sequence[Sequence[str]]]) -> bool:
    """Whether every word of several examples got the same tag."""
    return len(answers[0]) > 1 and len({tag for one in answers for tags in one for tag in tags}) == 1


def doubt(targets: Sequence[Sequence[str]], answers: Sequence[Sequence[Sequence[str]]]) -> float:
    """The fraction of words with a wrong tag."""
    pairs = [pair for t, a in zip(targets, answers[0], strict=True) for pair in zip(t, a, strict=True)]
    return float(np.mean([one != other for one, other in pairs])) if pairs else 0.0


def columns(targets: Sequence[Sequence[str]], answers: Sequence[Sequence[Sequence[str]]]) -> dict[str, Any]:
    """tags, answer: one tag a word."""
    return {
        "tags": [list(tags) for _ in answers for tags in targets],
        "answer": [list(tags) for one in answers for tags in one],
    }


def _numbers(job: Job, part: Part) -> list[np.ndarray]:
    targets = job.examples(part.split).targets or []
    return [np.asarray(targets[row], dtype=np.int64) for row in part.labels.tolist()]


def _word_counts(job: Job, part: Part) -> list[int]:
    inputs = job.examples(part.split).inputs
    return [len(inputs[row]) for row in part.indices.tolist()]
