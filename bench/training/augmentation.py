"""Training images varied at random, alike for every regime that trains by gradient.

What is drawn depends on the seed, on which image it is, and on how many times training has seen that image: not on
micro-batches, on how many processes prepare images, or on whether the trial went on from a checkpoint.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.data.seeding import stream
from bench.suite.parameters import Augmentation

SMALLEST = 0.5
"""Of the image's area, that a crop keeps: it has been resized and cropped by the model's image processor already."""


@dataclass(frozen=True)
class Varying:
    """How images of one size are varied. flip: half of them, sideways. crop: a part of at least `SMALLEST` of the area,
    brought to full size, and flip. randaugment: flip, and two operations at magnitude 9 (Cubuk et al. 2020)."""

    kind: Augmentation
    seed: int

    def flips(self, image: int, visit: int) -> bool:
        """Whether an image is turned around at a visit; so must be its mask."""
        return self.kind != "none" and bool(stream(self.seed, f"augmentation:flip:{image}:{visit}") & 1)

    def varied(self, pixels: Tensor, image: int, visit: int) -> Tensor:
        """An image, uint8 or float32 [channels, height, width], as training sees it at a visit, the first being 1."""
        if self.flips(image, visit):
            pixels = pixels.flip(-1)
        if self.kind in ("none", "flip"):
            return pixels
        height, width = pixels.shape[-2:]
        drawn = _transform(self.kind, height, width)
        generator = torch.default_generator  # the one that torchvision draws from; dropout goes on from it
        before = generator.get_state()
        try:
            generator.manual_seed(stream(self.seed, f"augmentation:{image}:{visit}"))
            found: Tensor = drawn(pixels)
        finally:
            generator.set_state(before)
        return found


@functools.cache
def _transform(kind: Augmentation, height: int, width: int) -> Callable[[Tensor], Tensor]:
    from torchvision.transforms import v2

    if kind == "crop":
        return v2.RandomResizedCrop((height, width), scale=(SMALLEST, 1.0), antialias=True)  # type: ignore[no-any-return]
    return v2.RandAugment(num_ops=2, magnitude=9)  # type: ignore[no-any-return]
