"""Which tokens of a window are scored: all, each given those before it, or hidden ones, given all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from bench.modeling.encoding.arrays import IGNORE_INDEX, Tokens, offsets_of
from bench.modeling.encoding.token_stream import Stream, overlap, windows
from bench.modeling.models.language_model import losses, next_token_losses
from bench.training.pretraining.masking import Masked, mask

RATE = 0.15
"""The fraction of tokens that is hidden."""
SEED = 0
"""Of which tokens are hidden: the same in every trial, and in every epoch."""


class ScoredTokens(Protocol):
    """n windows. stream: what they are of; lengths: their tokens, int64 [n]; weights: how many of those are scored,
    int64 [n]."""

    stream: Stream
    lengths: np.ndarray
    weights: np.ndarray

    def positions(self) -> np.ndarray:
        """Where in the stream the scored tokens stand, window by window, int64 [sum of weights]."""
        ...

    def nats(self, model: Any, rows: np.ndarray, device: torch.device) -> Tensor:
        """Negative log-likelihoods, fp32 [len(rows), k]: a window's `weights` in the order of `positions`, then 0."""
        ...


@dataclass
class Causal:
    """spans: int64 [n, 3]: where a window begins, the first token it scores, and its end."""

    stream: Stream
    spans: np.ndarray
    pad: int

    def __post_init__(self) -> None:
        self.lengths: np.ndarray = self.spans[:, 2] - self.spans[:, 0]
        self.weights: np.ndarray = self.spans[:, 2] - self.spans[:, 1]

    def positions(self) -> np.ndarray:
        """See `ScoredTokens`."""
        return np.concatenate([np.arange(first, end) for _, first, end in self.spans] or [np.empty(0, np.int64)])

    def nats(self, model: Any, rows: np.ndarray, device: torch.device) -> Tensor:
        """See `ScoredTokens`."""
        spans = self.spans[rows]
        ids = np.concatenate([self.stream.ids[begin:end] for begin, _, end in spans])
        offsets = offsets_of(self.lengths[rows])
        batch = Tokens(ids, None, offsets, self.pad).batch(np.arange(len(rows)), device)
        firsts = spans[:, 1] - spans[:, 0]
        each = next_token_losses(model, batch, int(firsts.min()))
        if (firsts == firsts[0]).all():
            return each
        shift = torch.as_tensor(firsts - firsts.min(), device=device)[:, None]
        places = torch.arange(each.shape[1], device=device) + shift
        return torch.nn.functional.pad(each, (0, int(shift.max()))).gather(1, places)


@dataclass
class Hidden:
    """masked: the windows with some tokens hidden; starts: int64 [n], the place in the stream of each window's first
    position, which may be a token of the tokenizer's own."""

    stream: Stream
    masked: Masked
    starts: np.ndarray

    def __post_init__(self) -> None:
        self.lengths: np.ndarray = self.masked.tokens.lengths
        self.weights: np.ndarray = (self.masked.labels != IGNORE_INDEX).sum(axis=1)

    def positions(self) -> np.ndarray:
        """See `ScoredTokens`."""
        found: np.ndarray = (self.starts[:, None] + self.masked.positions)[self.masked.labels != IGNORE_INDEX]
        return found

    def nats(self, model: Any, rows: np.ndarray, device: torch.device) -> Tensor:
        """See `ScoredTokens`."""
        batch = self.masked.batch(rows, device)
        positions = batch.pop("positions")
        logits = model(**batch).logits
        chosen = logits.gather(1, positions.unsqueeze(-1).expand(-1, -1, logits.shape[-1]))
        return losses(chosen, torch.as_tensor(self.masked.labels[rows], device=device))


def sliding(stream: Stream, stride: int, pad: int) -> Causal:
    """Windows of the stream's longest that overlap, so that every token but the first is scored once."""
    whole = stream.whole()
    return Causal(whole, windows(len(whole.ids), stream.longest, overlap(stream.longest, stride)), pad)


def side_by_side(stream: Stream, pad: int) -> Causal:
    """Windows of the stream's longest without overlap, of which all but the first token are scored."""
    whole = stream.whole()
    total, begins = len(whole.ids), np.arange(0, len(whole.ids), stream.longest)
    spans = np.stack([begins, begins + 1, np.minimum(begins + stream.longest, total)], axis=1)
    return Causal(whole, spans[spans[:, 1] < spans[:, 2]], pad)


def hidden(stream: Stream, tokenizer: Any) -> Hidden:
    """Windows without overlap, each between the tokenizer's own tokens, with RATE of the tokens hidden."""
    before, after = np.array(stream.prefix, np.int32), np.array(stream.suffix, np.int32)
    inside = stream.longest - len(before) - len(after)
    begins = np.arange(0, len(stream.ids), inside)
    rows = [np.concatenate([before, stream.ids[begin : begin + inside], after]) for begin in begins]
    if not rows:
        none = np.empty((0, 1), np.int64)
        return Hidden(stream, Masked(Tokens(none, None, np.zeros(1, np.int64), 0), none, none, none), begins)
    offsets = offsets_of(map(len, rows))
    tokens = Tokens(np.concatenate(rows), None, offsets, tokenizer.pad_token_id or 0)
    masked = mask(tokens, RATE, 1, tokenizer, np.random.Generator(np.random.PCG64(SEED)))
    return Hidden(stream, masked, begins - len(before))
