"""An answer to a question about a context: an encoder extracts it, a decoder or an encoder-decoder writes it.

To extract is a linear layer on every token's state with two outputs, start and end, trained by the cross-entropy of
both over windows of the context (Devlin et al. 2018). To write is as `texts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.metrics.token_f1_char import TokenF1Char
from bench.modeling.models.generation_models import extracts
from bench.objectives import classes, texts

if TYPE_CHECKING:
    from bench.modeling.models.facts import Facts
    from bench.training.job import Job, Part
    from bench.training.loss import Goal

VERSION = 1
ANSWERS = "texts"
TARGETS = "rows"
POOLED = NOISE = False
baselines, constant, columns = texts.baselines, texts.constant, texts.columns


def applies(facts: Facts) -> str | None:
    """Every model of text has a state for each token."""
    return None


def build(job: Job, pretrained: bool, frozen: bool) -> Any:
    """A tagger of two outputs on the same backbone as a classifier's, or a model that writes."""
    if not extracts(job.facts):
        return texts.build(job, pretrained, frozen)
    from bench.modeling.heads.tagger import Tagger

    found = classes.build(job, pretrained, frozen, outputs=2)
    return Tagger(found.backbone, 2, found.dropout.p)


def blocks(model: Any) -> Any:
    """The backbone's blocks, or those that write."""
    from bench.modeling.models.generator import Backbone

    return texts.blocks(model) if isinstance(model, Backbone) else classes.blocks(model)


def goal(job: Job, part: Part) -> Goal:
    """Mean over windows of the mean cross-entropy of start and end; or over an answer's tokens."""
    if not extracts(job.facts):
        return texts.goal(job, part)
    import torch
    from torch.nn.functional import cross_entropy

    from bench.modeling.encoding.arrays import send
    from bench.training.loss import Goal

    data = job.encoded(part.split)

    def loss(model: torch.nn.Module, rows: np.ndarray) -> torch.Tensor:
        windows = data.of(part.indices[rows])
        batch = data.tokens.batch(windows, job.device)
        logits = model(batch).float().masked_fill(batch["attention_mask"][..., None] == 0, -torch.inf)
        wanted = send(torch.from_numpy(data.labels[windows].astype(np.int64)), job.device)
        return cross_entropy(logits, wanted, reduction="sum") / 2

    return Goal(loss, data.counts[part.indices], data.lengths[part.indices])


def answer(job: Job, model: Any, part: Part) -> list[list[str | None]]:
    """What the best span of all windows says, or the first line that is written: a model as it is writes on.

    Where the task has questions without an answer, "" if the null token's score, the lowest of all windows, is
    higher than the best span's. None where the model's outputs are no finite numbers.
    """
    if not extracts(job.facts):
        return [[text.partition("\n")[0].rstrip() for text in written] for written in texts.answer(job, model, part)]
    import torch

    from bench.modeling.encoding.arrays import send
    from bench.modeling.heads import span_extraction

    data = job.encoded(part.split)
    windows = data.of(part.indices)

    def forward(rows: np.ndarray) -> torch.Tensor:
        own = windows[rows]
        logits = model(data.tokens.batch(own, job.device))
        nulls = send(torch.from_numpy(data.nulls[own].astype(np.int64)), job.device)
        return span_extraction.best(logits, data.context(own, job.device), nulls, job.parameters.max_answer)

    found = job.batched(forward, data.tokens.lengths[windows], "predict")
    inputs = job.examples(part.split).inputs
    stops = np.cumsum(data.counts[part.indices])
    answers: list[str | None] = []
    for row, rows in zip(part.indices.tolist(), np.split(np.arange(len(windows)), stops[:-1]), strict=True):
        scores, nulls = found[rows, 0], found[rows, 3]
        if np.isnan(scores).any() or not np.isfinite(nulls).all() or scores.max() == np.inf:
            answers.append(None)
            continue
        at = rows[scores.argmax()]
        none = scores.max() == -np.inf or (job.parameters.unanswerable and nulls.min() > scores.max())
        start, end = found[at, 1:3].astype(int)
        answers.append("" if none else data.text(inputs[row][1], windows[at], start, end))
    return [answers]


def targets(job: Job, part: Part) -> list[list[str]]:
    """Every answer to every question, "" where there is none."""
    answers = job.examples(part.split).targets or []
    return [list(answers[row]["text"]) or [""] for row in part.labels.tolist()]


def said(source: tuple[str, str], target: dict[str, list[Any]]) -> str:
    """What an example's answer is in a prompt: the first, "" where there is none."""
    return str(next(iter(target["text"]), ""))


def lost(answers: Sequence[Sequence[Any]]) -> np.ndarray:
    """Where there is none."""
    return np.array([any(one[row] is None for one in answers) for row in range(len(answers[0]))])


def doubt(targets: list[list[str]], answers: list[list[str]]) -> float:
    """How far the answers are from the references, by characters, in [0, 1]."""
    return 1 - TokenF1Char().score(targets, answers[0])
