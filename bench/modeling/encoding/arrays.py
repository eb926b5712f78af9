"""Examples as a model takes them, kept in arrays: tokenised or resized once, batched many times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

IGNORE_INDEX = -100
"""A label that no loss is taken of, as torch's cross-entropy has it."""


@dataclass
class Tokens:
    """Tokenised text. ids, types: flat int32; offsets: int64 [n + 1]; types is None where the model has none."""

    ids: np.ndarray
    types: np.ndarray | None
    offsets: np.ndarray
    pad: int

    @classmethod
    def from_rows(cls, ids: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None, pad: int | None) -> Tokens:
        """A tokenizer's lists, one an example; types: None or empty where there are none."""
        flat = np.array([token for row in ids for token in row], dtype=np.int32)
        kinds = np.array([kind for row in types for kind in row], dtype=np.int32) if types else None
        return cls(flat, kinds, offsets_of(map(len, ids)), pad or 0)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens per example, int64 [n]."""
        return np.diff(self.offsets)

    def batch(self, indices: np.ndarray, device: torch.device) -> dict[str, Tensor]:
        """input_ids, attention_mask (and token_type_ids), int64 [n, longest], padded on the right."""
        spans = [(self.offsets[i], self.offsets[i + 1]) for i in indices]
        longest = max(int(stop - start) for start, stop in spans)
        ids = np.full((len(spans), longest), self.pad, dtype=np.int64)
        mask = np.zeros_like(ids)
        types = np.zeros_like(ids)
        for row, (start, stop) in enumerate(spans):
            ids[row, : stop - start] = self.ids[start:stop]
            mask[row, : stop - start] = 1
            if self.types is not None:
                types[row, : stop - start] = self.types[start:stop]
        arrays = {"input_ids": ids, "attention_mask": mask}
        if self.types is not None:
            arrays["token_type_ids"] = types
        return {name: send(torch.from_numpy(array), device) for name, array in arrays.items()}


@dataclass
class Pixels:
    """Images, resized and cropped. pixels: uint8 [n, channels, height, width]; the model sees
    (scale · pixel - mean) / std, mean and std per channel."""

    pixels: np.ndarray
    scale: float
    mean: list[float]
    std: list[float]

    @property
    def lengths(self) -> np.ndarray:
        """One per example."""
        return np.ones(len(self.pixels), dtype=np.int64)

    def batch(self, indices: np.ndarray, device: torch.device) -> dict[str, Tensor]:
        """pixel_values, float32 [n, channels, height, width], normalised on the device."""
        values = send(torch.from_numpy(self.pixels[np.asarray(indices)]), device).float() * self.scale
        mean = torch.tensor(self.mean).view(1, -1, 1, 1).to(device, non_blocking=True)
        std = torch.tensor(self.std).view(1, -1, 1, 1).to(device, non_blocking=True)
        return {"pixel_values": (values - mean) / std}


def offsets_of(lengths: Iterable[int]) -> np.ndarray:
    """Where each of n rows begins when they are joined, and where the last one ends: int64 [n + 1]."""
    return np.cumsum([0, *lengths], dtype=np.int64)


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy to the device without waiting for it."""
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
