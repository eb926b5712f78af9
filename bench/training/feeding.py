"""The images that a trial trains on: gathered, varied, and on a GPU prepared ahead of it by processes of their own.

How long training waited for them is measured.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from bench.errors import NotApplicable, UsageError
from bench.modeling.encoding.arrays import Pixels, send
from bench.modeling.encoding.masked_pixels import MaskedPixels
from bench.suite.trial import Json
from bench.training.augmentation import Varying

WORKERS = "BENCH_FEEDING_WORKERS"
"""The environment variable that says how many processes prepare images."""
AHEAD = 2
"""Batches that each of them keeps ready."""

Drawn = tuple[np.ndarray, np.ndarray]
"""Rows of the part, and how many times training has seen each, this time included: int64 [n] both."""


def workers(device: torch.device) -> int:
    """As many as the environment says; by default none on a CPU, which they would take from training, and up to four
    on a GPU. Raises UsageError."""
    asked = os.environ.get(WORKERS)
    if asked is None:
        return min(4, (os.cpu_count() or 1) - 1) if device.type == "cuda" else 0
    if not asked.isdecimal():
        raise UsageError(f"{WORKERS}: expected a number of processes, found '{asked}'")
    return int(asked)


class Feed:
    """A part's batches, in order, and the pixels of each as the model takes them.

    encoded: images, or images with masks; indices: int64 [n], which of them the part has, row by row; batches: makes
    the endless stream of rows, the same each time. It is iterated for the rows of each step, and stands in the place of
    `encoded` for an objective's goal, which asks for the pixels of that step alone.
    """

    def __init__(
        self, encoded: Any, indices: np.ndarray, batches: Callable[[], Iterator[np.ndarray]], vary: Varying, count: int
    ) -> None:
        self.pixels: Pixels = encoded.pixels if isinstance(encoded, MaskedPixels) else encoded
        if vary.kind == "randaugment" and self.pixels.pixels.dtype != np.uint8:
            raise NotApplicable(
                "randaugment varies bytes, and this model's image processor gives other numbers; take flip or crop"
            )
        self.waited = 0.0
        self._encoded, self._indices, self._batches, self._vary, self._count = encoded, indices, batches, vary, count
        self._steps, self._step = self._drawn(), 0
        self._visits: dict[int, int] = {}
        self._places: dict[int, int] = {}
        self._host = torch.zeros(0)
        self._ahead: Iterator[Tensor] | None = None

    def __iter__(self) -> Iterator[np.ndarray]:
        return self

    def __next__(self) -> np.ndarray:
        """The rows of the next step, whose pixels are ready then."""
        rows, visits = next(self._steps)
        begun = time.perf_counter()
        self._host = next(self._prepared()) if self._count else self[rows, visits]
        self.waited += time.perf_counter() - begun
        self._step += 1
        images = self._indices[rows].tolist()
        self._places = {image: place for place, image in enumerate(images)}
        self._visits = dict(zip(images, visits.tolist(), strict=True))
        return rows

    def skip(self, count: int) -> None:
        """Leave out the next steps, and prepare nothing for them."""
        for _ in range(count):
            next(self._steps)
        self._step += count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoded, name)  # lengths, counts, masks

    def batch(self, indices: np.ndarray, device: torch.device) -> dict[str, Tensor]:
        """pixel_values of some of this step's images, float32 [n, channels, height, width]."""
        places = [self._places[int(index)] for index in indices]
        found = self._host if places == list(range(len(self._host))) else self._host[places]
        return {"pixel_values": self.pixels.normalised(send(found, device))}

    def sent(self, index: int, device: torch.device) -> Tensor:
        """The mask of one of this step's images on the device, int64, turned around where the image is."""
        mask: Tensor = self._encoded.sent(index, device)
        return mask.flip(-1) if self._vary.flips(int(index), self._visits[int(index)]) else mask

    def __getitem__(self, drawn: Drawn) -> Tensor:
        """The pixels of a batch as training sees them, on the host: what a process prepares."""
        rows, visits = drawn
        images = self._indices[rows]
        return self._vary.varied(torch.from_numpy(self.pixels.pixels[images]), images, visits)

    def facts(self, training_seconds: float) -> Json:
        """How many processes prepared images, and what share of the training time went by waiting for them."""
        return {"workers": self._count, "waited": self.waited, "share": self.waited / max(training_seconds, 1e-9)}

    def close(self) -> None:
        """End the processes."""
        self._ahead = None

    def _drawn(self) -> Iterator[Drawn]:
        visits = np.zeros(len(self._indices), dtype=np.int64)
        for rows in self._batches():
            visits[rows] += 1
            yield rows, visits[rows]

    def _prepared(self) -> Iterator[Tensor]:
        """The pixels of the steps to come, from processes that begin where the trial begins or goes on."""
        if self._ahead is None:
            own: Any = self  # a data set whose items are batches
            drawn: Any = islice(self._drawn(), self._step, None)
            self._ahead = iter(
                DataLoader(
                    own, batch_size=None, sampler=drawn, num_workers=self._count, prefetch_factor=AHEAD,
                    pin_memory=torch.cuda.is_available(), generator=torch.Generator(),  # dropout's is left as it is
                )
            )  # fmt: skip
        return self._ahead
