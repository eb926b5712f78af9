"""How likely a text is: a language model, trained by the cross-entropy of its tokens and read by their likelihoods.

A causal model scores every token but the very first, given what stands before it in a window that slides over the
joined rows. A masked model scores 15 % of the tokens, which are hidden, given all others: another number, which is not
to be compared with a causal model's and gives no bits per byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bench.contracts import Baseline, Context, Objective, Part, Predictions
from bench.errors import TrialError
from bench.modeling.models.likelihood_models import reader, refusal

if TYPE_CHECKING:
    from bench.modeling.encoding.token_stream import Stream
    from bench.modeling.models.facts import Facts
    from bench.modeling.models.generator import Backbone
    from bench.training.loss import Goal
    from bench.training.pretraining.scored_tokens import ScoredTokens

TOKENS = 64
"""Tokens of a window that count as one example of an evaluation batch: a window's logits are a vocabulary wide."""


class Likelihoods(Objective):
    """The likelihood of every row of text."""

    VERSION = 1
    ANSWERS = "likelihoods"

    def applies(self, facts: Facts) -> str | None:
        """A language-modelling head must be there, for the likelihoods of a random one mean nothing."""
        return refusal(facts)

    def build(self, context: Context, *, pretrained: bool, frozen: bool) -> Backbone:
        """The model and its language-modelling head under `backbone`. Raises NotApplicable for a head without
        weights."""
        from bench.modeling.models.language_model import language_model
        from bench.modeling.models.loading import build_options

        return language_model(
            context.folder, masked=_masked(context), pretrained=pretrained, **build_options(context, frozen=frozen)
        )

    def blocks(self, model: Backbone) -> Any:
        """The backbone's outermost stack of blocks, or None."""
        from bench.modeling.heads.classifier import blocks

        return blocks(model.backbone)

    def goal(self, context: Context, part: Part) -> Goal:
        """Mean cross-entropy over scored tokens, in windows without overlap. Raises TrialError where there are none."""
        from bench.training.loss import Goal

        scored = _scored_tokens(context, part, train=True)
        if len(part.indices) and not scored.weights.sum():
            raise TrialError(f"{len(part.indices)} rows hold no token to learn; take more rows")

        def loss(model: Any, rows: np.ndarray) -> Any:
            return scored.nats(model.backbone, rows, context.device).sum()

        return Goal(loss, scored.weights, scored.lengths)

    def answer(self, context: Context, model: Any, part: Part) -> Predictions:
        """float64 [1, n, 3]: nats, scored tokens and the bytes they add, of each row; bytes are NaN where a model is
        masked."""
        import torch

        from bench.modeling.inference.batched import batched

        scored = _scored_tokens(context, part)
        if not len(scored.weights):
            return Predictions(np.zeros((1, len(part.indices), 3)))
        width = int(scored.weights.max())

        def nats(rows: np.ndarray) -> Any:
            found = scored.nats(model.backbone, rows, context.device)[:, :width]
            return torch.nn.functional.pad(found, (0, width - found.shape[1]))

        size = max(1, context.evaluation_batch * TOKENS // int(scored.lengths.max()))
        found = batched(nats, scored.lengths, size, context.autocast, context.progress("predict"))
        used = np.arange(width) < scored.weights[:, None]
        return Predictions(_by_row(context, scored, found[used].astype(np.float64), len(part.indices))[None])

    def targets(self, context: Context, part: Part) -> None:
        """Nothing: the text is its own. Raises TrialError where the part has no token to score."""
        if not _scored_tokens(context, part).weights.sum():
            raise TrialError(f"{len(part.indices)} rows hold no token to score; take more rows")

    def example_to_time(self, context: Context, part: Part) -> Part:
        """The first row with two tokens or more: an empty one would take no time."""
        counts = np.bincount(_stream(context, part).rows, minlength=len(part.indices))
        return part.first(int((counts > 1).argmax()))

    def baselines(self, context: Context, part: Part) -> dict[str, Baseline]:
        """unigram: how frequent each token is in the train part, each counted once more than it occurs (Laplace)."""
        return {"unigram": lambda: _unigram(context, part)} if len(context.parts["train"].indices) else {}

    def lost(self, answers: np.ndarray) -> np.ndarray:
        """Where the likelihood is no finite number."""
        found: np.ndarray = ~np.isfinite(answers[:, :, 0]).all(axis=0)
        return found

    def constant(self, answers: np.ndarray) -> bool:
        """Never: likelihoods that are alike mean nothing."""
        return False

    def doubt(self, targets: None, answers: np.ndarray) -> float:
        """Mean negative log-likelihood of a token, in nats."""
        nats, tokens = answers[0, :, :2].sum(axis=0)
        return float(nats / tokens)

    def columns(self, targets: None, answers: np.ndarray) -> dict[str, Any]:
        """nats, tokens and bytes of each row."""
        return {name: answers[:, :, i].flatten() for i, name in enumerate(("nats", "tokens", "bytes"))}


def _masked(context: Context) -> bool:
    return reader(context.facts) == "masked"


def _unigram(context: Context, part: Part) -> np.ndarray:
    stream = _stream(context, context.parts["train"])
    counts = np.bincount(stream.ids, minlength=stream.vocabulary) + 1.0
    scored = _scored_tokens(context, part)
    wanted = scored.stream.ids[scored.positions()]
    return _by_row(context, scored, -np.log(counts / counts.sum())[wanted], len(part.indices))[None]


def _stream(context: Context, part: Part) -> Stream:
    found: Stream = context.features.encoded(part.split)
    return found.part(part.indices)


def _scored_tokens(context: Context, part: Part, train: bool = False) -> ScoredTokens:
    from bench.training.pretraining import scored_tokens

    stream, tokenizer = _stream(context, part), context.features.tokenizer
    if _masked(context):
        return scored_tokens.hidden(stream, tokenizer)
    pad = tokenizer.pad_token_id or 0
    if train:
        return scored_tokens.side_by_side(stream, pad)
    return scored_tokens.sliding(stream, context.parameters.stride, pad)


def _by_row(context: Context, scored: ScoredTokens, nats: np.ndarray, count: int) -> np.ndarray:
    """The nats of scored tokens, their number and bytes, summed over each of `count` rows: float64 [count, 3]."""
    positions = scored.positions()
    rows = scored.stream.rows[positions]
    sums = [np.bincount(rows, weights, minlength=count) for weights in (nats, None, scored.stream.sizes[positions])]
    if _masked(context):
        sums[2] = np.full(count, np.nan)
    return np.stack(sums, axis=1).astype(np.float64)
