"""Examples as a model takes them, kept in arrays: tokenised or resized once, batched many times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from bench.modeling.encoding.stored_rows import StoredRows
from bench.suite.trial import Json

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
        found = padded_inputs(rows_of(self.ids, self.offsets, indices), self.pad)
        if self.types is not None:
            found["token_type_ids"] = padded(rows_of(self.types, self.offsets, indices), 0)
        return {name: send(tensor, device) for name, tensor in found.items()}


@dataclass
class Pixels:
    """Images, resized and cropped. pixels: uint8 [n, channels, height, width]; the model sees
    (pixel - mean / scale) / (std / scale), mean and std per channel, or where these are None scale · pixel: in float32,
    to the bit what transformers' image processors give; or, where `fused` is not so, what `in_order` gives, as
    torchvision's and timm's transforms do. Where a processor does something else, pixels are float32 and what the model
    sees. preprocessing: what was done to the images, for the record.
    """

    pixels: np.ndarray | StoredRows
    scale: float
    mean: list[float] | None
    std: list[float] | None
    preprocessing: Json = field(default_factory=dict)
    fused: bool = True

    @property
    def lengths(self) -> np.ndarray:
        """One per example."""
        return np.ones(len(self.pixels), dtype=np.int64)

    def batch(self, indices: np.ndarray, device: torch.device) -> dict[str, Tensor]:
        """pixel_values, float32 [n, channels, height, width], normalised on the device."""
        return {"pixel_values": self.normalised(send(torch.from_numpy(self.pixels[np.asarray(indices)]), device))}

    def normalised(self, pixels: Tensor) -> Tensor:
        """What the model sees of such pixels; float32 ones are overwritten."""
        values = pixels.float()
        if not self.fused:
            return in_order(values, self.scale, self.mean, self.std)
        if self.mean is None or self.std is None:
            return values if self.scale == 1 else values.mul_(self.scale)
        # in place, in the processors' own order: a seventh of the time, and the same bits
        mean, std = (
            (torch.tensor(channel) * (1.0 / self.scale)).view(-1, 1, 1).to(values.device, non_blocking=True)
            for channel in (self.mean, self.std)
        )
        return values.sub_(mean).div_(std)


def in_order(values: Tensor, scale: float, mean: list[float] | None, std: list[float] | None) -> Tensor:
    """(values · scale - mean) / std, in place and in this order: to the bit what ToTensor and Normalize give, which
    divide by 255. values: float32 [n, channels, height, width]."""
    if scale != 1:
        values = values.div_(255) if scale == 1 / 255 else values.mul_(scale)
    if mean is None or std is None:
        return values
    less, width = (torch.tensor(each).view(-1, 1, 1).to(values.device, non_blocking=True) for each in (mean, std))
    return values.sub_(less).div_(width)


@dataclass
class PixelRows:
    """Some of the images, in this order."""

    pixels: Pixels
    indices: np.ndarray

    def __len__(self) -> int:
        return len(self.indices)

    def batch(self, rows: np.ndarray, device: torch.device) -> dict[str, Tensor]:
        """pixel_values of these of them."""
        return self.pixels.batch(self.indices[rows], device)


def offsets_of(lengths: Iterable[int]) -> np.ndarray:
    """Where each of n rows begins when they are joined, and where the last one ends: int64 [n + 1]."""
    return np.cumsum([0, *lengths], dtype=np.int64)


def rows_of(flat: np.ndarray, offsets: np.ndarray, indices: Iterable[int]) -> list[np.ndarray]:
    """Some of the rows that stand joined in one array."""
    return [flat[offsets[i] : offsets[i + 1]] for i in indices]


def padded(rows: Sequence[np.ndarray], value: int, left: bool = False) -> Tensor:
    """Rows of different lengths as one array, int64 [n, longest], filled up with `value` on the right or the left."""
    return torch.from_numpy(_filled(rows, _occupied(rows, left), value))


def padded_inputs(rows: Sequence[np.ndarray], pad: int, left: bool = False) -> dict[str, Tensor]:
    """input_ids and attention_mask of token rows, int64 [n, longest]."""
    occupied = _occupied(rows, left)
    return {
        "input_ids": torch.from_numpy(_filled(rows, occupied, pad)),
        "attention_mask": torch.from_numpy(occupied.astype(np.int64)),
    }


def _occupied(rows: Sequence[np.ndarray], left: bool) -> np.ndarray:
    """Where rows padded to the longest have values of their own, bool [n, longest]."""
    lengths = np.array([len(row) for row in rows])[:, None]
    columns = np.arange(lengths.max())
    found: np.ndarray = columns[::-1] < lengths if left else columns < lengths
    return found


def _filled(rows: Sequence[np.ndarray], occupied: np.ndarray, value: int) -> np.ndarray:
    found = np.full(occupied.shape, value, dtype=np.int64)
    found[occupied] = np.concatenate(rows)
    return found


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy to the device without waiting for it."""
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
