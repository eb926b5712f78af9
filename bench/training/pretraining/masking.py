"""Masked language modelling (Devlin et al. 2019): which tokens are hidden, and a model that answers for those alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.modeling.encoding.arrays import IGNORE_INDEX, Tokens, send


@dataclass
class Masked:
    """Passages, each hidden in `copies` ways: row r is passage r modulo their number.

    positions, inputs, labels: int64 [rows, k]: where something is hidden, what stands there instead, and what is to be
    told. A row with fewer hidden tokens is filled up with position 0, its first token and IGNORE_INDEX.
    """

    tokens: Tokens
    positions: np.ndarray
    inputs: np.ndarray
    labels: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Tokens per row, int64 [rows]."""
        return np.tile(self.tokens.lengths, len(self.labels) // len(self.tokens.lengths))

    def batch(self, rows: np.ndarray, device: torch.device) -> dict[str, Tensor]:
        """The model's keyword arguments, and `positions`."""
        found = self.tokens.batch(rows % len(self.tokens.lengths), device)
        positions = send(torch.from_numpy(self.positions[rows]), device)
        found["input_ids"].scatter_(1, positions, send(torch.from_numpy(self.inputs[rows]), device))
        return {**found, "positions": positions}


def mask(tokens: Tokens, rate: float, copies: int, tokenizer: Any, generator: np.random.Generator) -> Masked:
    """Hide `rate` of each passage's tokens, at least one, never its first and last: 8 of 10 become the mask token, 1 a
    random one, 1 stays."""
    lengths = np.tile(tokens.lengths, copies)
    hidden = counts(lengths, rate)
    columns = np.arange(int(lengths.max()))
    order = np.where(
        (columns > 0) & (columns < lengths[:, None] - 1), generator.random((len(lengths), len(columns))), np.inf
    )
    positions = np.argsort(order, axis=1)[:, : int(hidden.max())]
    used = np.arange(positions.shape[1]) < hidden[:, None]
    positions = np.where(used, positions, 0)
    originals = np.asarray(tokens.ids)[np.tile(tokens.offsets[:-1], copies)[:, None] + positions].astype(np.int64)
    kind = generator.random(positions.shape)
    inputs = np.where(kind < 0.8, tokenizer.mask_token_id, originals)
    inputs = np.where(kind >= 0.9, generator.integers(len(tokenizer), size=positions.shape), inputs)
    return Masked(tokens, positions, np.where(used, inputs, originals), np.where(used, originals, IGNORE_INDEX))


def counts(lengths: np.ndarray, rate: float) -> np.ndarray:
    """How many tokens of passages of these lengths are hidden, int64 [n]."""
    found: np.ndarray = np.maximum(1, np.rint(rate * (lengths - 2))).astype(np.int64)
    return found


class AtPositions(nn.Module):
    """A masked language model asked at `positions`, a BERT's head at those alone: logits [n, k, vocabulary]."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Logits of a `Masked.batch`."""
        positions = batch["positions"]
        arguments = {name: value for name, value in batch.items() if name != "positions"}
        bert = self.model.config.model_type == "bert"
        found = self.model.base_model(**arguments).last_hidden_state if bert else self.model(**arguments).logits
        chosen = found.gather(1, positions.unsqueeze(-1).expand(-1, -1, found.shape[-1]))
        logits: Tensor = self.model.cls(chosen) if bert else chosen
        return logits
