"""Images made worse before anything sees them: blurred, noisy, or compressed."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from bench.suite.parameters import InputNoise


class Spoilt(Sequence[Any]):
    """Images as PIL has them, RGB, each spoilt when it is asked for; equal images are spoilt alike, whoever asks.

    images: `bench.data.images.Pictures`, or others.
    """

    def __init__(self, images: Any, noise: InputNoise) -> None:
        self.images = images
        ((kind, strength),) = noise.items()
        self._kind, self._strength = KINDS[kind], strength

    @property
    def deep(self) -> set[int]:
        """The rows seen so far that had more than 8 bits a channel."""
        found: set[int] = self.images.deep
        return found

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self._kind(self.images[index].convert("RGB"), self._strength)


def spoilt(images: Any, noise: InputNoise | None) -> Any:
    """Images with noise, or as they are where there is none."""
    return Spoilt(images, noise) if noise else images


def _blur(image: Any, sigma: float) -> Any:
    """Gaussian; sigma: pixels of the image as it is in the data."""
    from PIL import ImageFilter

    return image.filter(ImageFilter.GaussianBlur(sigma))


def _gaussian(image: Any, deviation: float) -> Any:
    """Independent normal noise on every channel of every pixel; deviation: of a range from 0 to 1."""
    from PIL import Image

    pixels = np.asarray(image)
    digest = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).digest()
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "big")))
    found = pixels + generator.standard_normal(pixels.shape, dtype=np.float32) * (255 * deviation)
    return Image.fromarray(np.clip(np.rint(found), 0, 255).astype(np.uint8))


def _jpeg(image: Any, quality: float) -> Any:
    """Compressed and read again; quality: from 1 to 95, as Pillow has it."""
    from PIL import Image

    file = io.BytesIO()
    image.save(file, "JPEG", quality=round(quality))
    return Image.open(file).convert("RGB")


KINDS: Mapping[str, Callable[[Any, float], Any]] = {"blur": _blur, "gaussian-noise": _gaussian, "jpeg": _jpeg}
