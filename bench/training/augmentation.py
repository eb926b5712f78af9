"""Training images varied at random, alike for every regime that trains by gradient.

What is drawn depends on the seed, on which image it is, and on how many times training has seen that image: not on
micro-batches, on how many processes prepare images, or on whether the trial went on from a checkpoint.
"""

from __future__ import annotations

import functools
import hashlib
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bench.suite.parameters import Augmentation

SMALLEST = 0.5
"""Of the image's area, that a crop keeps: it has been resized and cropped by the model's image processor already."""
ASPECT = 4 / 3
"""By which a crop is at most wider or higher than the image."""


@dataclass(frozen=True)
class Varying:
    """How images are varied. flip: half of them, sideways. crop: a part of at least `SMALLEST` of the area, brought to
    full size, and flip. randaugment: flip, and two operations at magnitude 9 (Cubuk et al. 2020)."""

    kind: Augmentation
    seed: int

    def flips(self, image: int, visit: int) -> bool:
        """Whether an image is turned around at a visit, the first being 1; so must be its mask."""
        return self.kind != "none" and self._drawn(image, visit)[0] < 0.5

    def varied(self, pixels: Tensor, images: np.ndarray, visits: np.ndarray) -> Tensor:
        """Images, uint8 or float32 [n, channels, height, width], as training sees them at these visits."""
        if self.kind == "none":
            return pixels
        if self.kind == "crop":
            return _cropped(pixels, np.array([self._drawn(*one) for one in zip(images, visits, strict=True)]))
        turned = [self.flips(*one) for one in zip(images, visits, strict=True)]
        pixels[turned] = pixels[turned].flip(-1)
        if self.kind == "randaugment":
            for at, one in enumerate(zip(images, visits, strict=True)):
                pixels[at] = self._randaugment(pixels[at], *one)
        return pixels

    def _drawn(self, image: int, visit: int) -> tuple[float, ...]:
        """Four numbers from 0 to 1."""
        drawn = hashlib.sha256(f"{self.seed}:{image}:{visit}".encode()).digest()
        return tuple(number / 2**64 for number in struct.unpack("<4Q", drawn))

    def _randaugment(self, pixels: Tensor, image: int, visit: int) -> Tensor:
        generator = torch.default_generator  # the one that torchvision draws from; dropout goes on from it
        before = generator.get_state()
        try:
            generator.manual_seed(int(self._drawn(image, visit)[1] * 2**53))
            found: Tensor = _operations()(pixels)
        finally:
            generator.set_state(before)
        return found


@functools.cache
def _operations() -> Callable[[Tensor], Tensor]:
    from torchvision.transforms import v2

    return v2.RandAugment(num_ops=2, magnitude=9)  # type: ignore[no-any-return]


def _cropped(pixels: Tensor, drawn: np.ndarray) -> Tensor:
    """A part of each image, bilinearly at full size, all in one go. drawn: [n, 4]: whether it is turned around, and by
    how far the number is from saying the contrary its area; its aspect; where it lies."""
    area = SMALLEST + (1 - SMALLEST) * (2 * drawn[:, 0] % 1)
    aspect = np.exp((2 * drawn[:, 1] - 1) * math.log(ASPECT))
    wide, high = np.minimum(np.sqrt(area * aspect), 1), np.minimum(np.sqrt(area / aspect), 1)
    turn = np.where(drawn[:, 0] < 0.5, -1, 1)
    across, down = (2 * drawn[:, 2] - 1) * (1 - wide), (2 * drawn[:, 3] - 1) * (1 - high)
    nothing = np.zeros(len(drawn))
    places = np.stack([turn * wide, nothing, across, nothing, high, down], axis=1).reshape(-1, 2, 3)
    grid = functional.affine_grid(torch.from_numpy(places).float(), list(pixels.shape), align_corners=False)
    found = functional.grid_sample(pixels.float(), grid, padding_mode="border", align_corners=False)
    return found.round_().to(pixels.dtype) if pixels.dtype == torch.uint8 else found
