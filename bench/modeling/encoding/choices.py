"""Contexts and their choices: each pair of the two tokenised on its own, side by side in one array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.modeling.encoding import text
from bench.modeling.encoding.arrays import Tokens, offsets_of


@dataclass
class Choices:
    """pairs: (context, choice), example by example; offsets: int64 [n + 1]: where each example's begin."""

    pairs: Tokens
    offsets: np.ndarray

    @property
    def most(self) -> int:
        """The most choices an example has."""
        return int(np.diff(self.offsets).max())

    @property
    def lengths(self) -> np.ndarray:
        """Tokens an example is padded to, int64 [n]: its longest pair's, for each of its choices."""
        longest = np.maximum.reduceat(self.pairs.lengths, self.offsets[:-1])
        return np.asarray(longest * np.diff(self.offsets))

    def flat(self, indices: np.ndarray) -> np.ndarray:
        """The numbers of these examples' pairs, int64."""
        return np.concatenate([np.arange(self.offsets[i], self.offsets[i + 1]) for i in indices])

    def by_example(self, scores: Tensor, indices: np.ndarray) -> Tensor:
        """One score a pair, [pairs], as [n, most], fp32, -inf where an example has no such choice."""
        counts = torch.as_tensor(self.offsets[indices + 1] - self.offsets[indices], device=scores.device)
        there = torch.arange(self.most, device=scores.device) < counts[:, None]
        none = torch.full(there.shape, -torch.inf, device=scores.device)
        return none.masked_scatter(there, scores.float())


def spread(scores: np.ndarray, inputs: Sequence[Sequence[str]]) -> np.ndarray:
    """One score a pair, [pairs], as float32 [n, most choices], -inf where an example has fewer."""
    counts = np.array(_counts(inputs))
    found = np.full((len(inputs), counts.max()), -np.inf, dtype=np.float32)
    found[np.arange(counts.max()) < counts[:, None]] = scores
    return found


def _counts(inputs: Sequence[Sequence[str]]) -> list[int]:
    """Choices per example. inputs: [n] of (context, choice, choice, …)."""
    return [len(one) - 1 for one in inputs]


def encode(folder: Path, inputs: Sequence[Sequence[str]], max_length: int, target: Path) -> None:
    """Tokenise every (context, choice) into `target`, cut to `max_length` tokens or to what the model can take."""
    tokenizer = text.tokenizer_for(folder)
    plain = tokenizer.num_special_tokens_to_add(pair=True) == tokenizer.num_special_tokens_to_add(pair=False)
    space = " " if plain else ""  # where nothing stands between the two
    pairs = [(context, space + choice) for context, *choices in inputs for choice in choices]
    text.save(text.tokenise(folder, pairs, max_length), target)
    np.save(target / "choices.npy", offsets_of(_counts(inputs)))


def load(target: Path) -> Choices:
    """What `encode` wrote."""
    return Choices(text.load(target), np.load(target / "choices.npy"))
