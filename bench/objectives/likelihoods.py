"""How likely a text is: a language model, trained by the cross-entropy of its tokens and read by their likelihoods.

A causal model tells every token but the very first, given what stands before it in a window that slides over the joined
rows. A masked model tells 15 % of the tokens, which are hidden, given all others: another number, which is not to be
compared with a causal model's and gives no bits per byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import TrialError
from bench.modeling.models.likelihood_models import reader, refusal
from bench.objectives import classes

if TYPE_CHECKING:
    from bench.modeling.encoding.token_stream import Stream
    from bench.modeling.models.facts import Facts
    from bench.modeling.models.generator import Backbone
    from bench.training.job import Baseline, Job, Part
    from bench.training.loss import Goal
    from bench.training.pretraining.scored_tokens import Reading

VERSION = 1
ANSWERS = "likelihoods"
TARGETS = "rows"
POOLED = NOISE = False
TOKENS = 64
"""Tokens of a window that count as one example of an evaluation batch: a window's logits are a vocabulary wide."""
blocks = classes.blocks


def applies(facts: Facts) -> str | None:
    """A language-modelling head must be there, for a random one tells nothing."""
    return refusal(facts)


def build(job: Job, pretrained: bool, frozen: bool) -> Backbone:
    """The model and its language-modelling head under `backbone`. Raises NotApplicable for a head without weights."""
    from bench.modeling.models.language_model import language_model

    return language_model(
        job.folder,
        masked=reader(job.facts) == "masked",
        pretrained=pretrained,
        **job.loading(frozen),
    )


def goal(job: Job, part: Part) -> Goal:
    """Mean cross-entropy over what is told in windows without overlap. Raises TrialError where there is nothing."""
    from bench.training.loss import Goal

    reading = _reading(job, part, train=True)
    if len(part.indices) and not reading.weights.sum():
        raise TrialError(f"{len(part.indices)} rows hold no token to learn; take more rows")

    def loss(model: Any, rows: np.ndarray) -> Any:
        return reading.nats(model.backbone, rows, job.device).sum()

    return Goal(loss, reading.weights, reading.lengths)


def answer(job: Job, model: Any, part: Part) -> np.ndarray:
    """float64 [1, n, 3]: nats, tokens told and bytes they add, of each row; bytes are NaN where a model is masked."""
    import torch

    from bench.modeling.inference.batched import batched

    reading = _reading(job, part)
    if not len(reading.weights):
        return np.zeros((1, len(part.indices), 3))
    width = int(reading.weights.max())

    def nats(rows: np.ndarray) -> Any:
        found = reading.nats(model.backbone, rows, job.device)[:, :width]
        return torch.nn.functional.pad(found, (0, width - found.shape[1]))

    size = max(1, job.evaluation_batch * TOKENS // int(reading.lengths.max()))
    tick = lambda done, total: job.tick("predict", done, total)  # noqa: E731
    found = batched(nats, reading.lengths, size, job.autocast, tick)
    told = np.arange(width) < reading.weights[:, None]
    return _by_row(job, reading, found[told].astype(np.float64), len(part.indices))[None]


def targets(job: Job, part: Part) -> None:
    """Nothing: the text is its own. Raises TrialError where the part has no token to tell."""
    if not _reading(job, part).weights.sum():
        raise TrialError(f"{len(part.indices)} rows hold no token to tell; take more rows")


def one(job: Job, part: Part) -> Part:
    """The first row with two tokens or more: an empty one would take no time."""
    from bench.training.job import Part

    counts = np.bincount(_stream(job, part).rows, minlength=len(part.indices))
    first = int((counts > 1).argmax())
    return Part(part.split, part.indices[first : first + 1], part.labels[first : first + 1])


def baselines(job: Job, part: Part) -> dict[str, Baseline]:
    """unigram: how frequent each token is in the train part, each counted once more than it occurs (Laplace)."""
    return {"unigram": lambda: _unigram(job, part)} if len(job.parts["train"].indices) else {}


def _unigram(job: Job, part: Part) -> np.ndarray:
    stream = _stream(job, job.parts["train"])
    counts = np.bincount(stream.ids, minlength=stream.vocabulary) + 1.0
    reading = _reading(job, part)
    wanted = reading.stream.ids[reading.told()]
    return _by_row(job, reading, -np.log(counts / counts.sum())[wanted], len(part.indices))[None]


def lost(answers: np.ndarray) -> np.ndarray:
    """Where the likelihood is no finite number."""
    found: np.ndarray = ~np.isfinite(answers[:, :, 0]).all(axis=0)
    return found


def constant(answers: np.ndarray) -> bool:
    """Never: likelihoods that are alike mean nothing."""
    return False


def doubt(targets: None, answers: np.ndarray) -> float:
    """Mean negative log-likelihood of a token, in nats."""
    nats, tokens = answers[0, :, :2].sum(axis=0)
    return float(nats / tokens)


def columns(targets: None, answers: np.ndarray) -> dict[str, Any]:
    """nats, tokens and bytes of each row."""
    return {name: answers[:, :, i].flatten() for i, name in enumerate(("nats", "tokens", "bytes"))}


def _stream(job: Job, part: Part) -> Stream:
    found: Stream = job.encoded(part.split)
    return found.part(part.indices)


def _reading(job: Job, part: Part, train: bool = False) -> Reading:
    from bench.training.pretraining import scored_tokens as reading

    stream = _stream(job, part)
    if reader(job.facts) == "masked":
        return reading.hidden(stream, job.tokenizer)
    pad = job.tokenizer.pad_token_id or 0
    return reading.side_by_side(stream, pad) if train else reading.sliding(stream, job.parameters.stride, pad)


def _by_row(job: Job, reading: Reading, nats: np.ndarray, count: int) -> np.ndarray:
    """What is told of each token, summed over the tokens of each of `count` rows: float64 [count, 3]."""
    told = reading.told()
    rows = reading.stream.rows[told]
    sums = [np.bincount(rows, weights, minlength=count) for weights in (nats, None, reading.stream.sizes[told])]
    if reader(job.facts) == "masked":
        sums[2] = np.full(count, np.nan)
    return np.stack(sums, axis=1).astype(np.float64)
