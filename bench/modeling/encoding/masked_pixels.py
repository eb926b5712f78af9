"""Images resized as a model takes them, each with its mask of class numbers as it is: a mask is never resized."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.data.examples import Examples
from bench.data.masks import UNLABELLED
from bench.errors import ModelError
from bench.modeling.encoding import pixels as images
from bench.modeling.encoding.arrays import Pixels, offsets_of, send
from bench.suite.trial import Json


@dataclass
class MaskedPixels:
    """pixels: n images. masks: flat uint8, the classes of every pixel row by row, `UNLABELLED` for none; offsets: int64
    [n + 1]; shapes: int64 [n, 2], height and width of each mask. counts: int64 [n, classes], pixels of each class."""

    pixels: Pixels
    masks: np.ndarray
    offsets: np.ndarray
    shapes: np.ndarray
    counts: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """One per example."""
        return self.pixels.lengths

    @property
    def preprocessing(self) -> Json:
        """What was done to the images, for the record."""
        return self.pixels.preprocessing

    def batch(self, indices: np.ndarray, device: torch.device) -> dict[str, Tensor]:
        """pixel_values, float32 [n, channels, height, width]."""
        return self.pixels.batch(indices, device)

    def mask(self, index: int) -> np.ndarray:
        """The classes of an image's pixels, uint8 [height, width]."""
        found: np.ndarray = self.masks[self.offsets[index] : self.offsets[index + 1]]
        return found.reshape(self.shapes[index])

    def sent(self, index: int, device: torch.device) -> Tensor:
        """The same on the device, int64."""
        return send(torch.from_numpy(np.array(self.mask(index))), device).long()


def encode(folder: Path, examples: Examples, classes: int, size: tuple[int, int] | None, target: Path) -> None:
    """Write images and masks to `target`, to be read by `load`. size: height and width of what the model sees; None: as
    its image processor resizes, but uncropped, for a mask covers the whole image.

    Raises ModelError where the image processor gives no one size.
    """
    images.resize(folder, examples.inputs, target, **whole(folder, size))
    masks = examples.targets or ()
    shapes, counts = np.zeros((len(masks), 2), dtype=np.int64), np.zeros((len(masks), classes), dtype=np.int64)
    with (target / "masks.bin").open("wb") as file:
        for row in range(len(masks)):
            mask = masks[row]
            shapes[row], counts[row] = mask.shape, np.bincount(mask[mask != UNLABELLED], minlength=classes)
            file.write(mask.tobytes())
    np.savez(target / "masks.npz", shapes=shapes, counts=counts)


def load(folder: Path) -> MaskedPixels:
    """What `encode` wrote; its masks memory-mapped."""
    with np.load(folder / "masks.npz") as known:
        shapes, counts = known["shapes"], known["counts"]
    flat: Any = np.zeros(0, dtype=np.uint8)
    if shapes.size:
        flat = np.memmap(folder / "masks.bin", dtype=np.uint8, mode="r")
    return MaskedPixels(images.load(folder), flat, offsets_of(shapes.prod(axis=1)), shapes, counts)


def whole(folder: Path, size: tuple[int, int] | None) -> dict[str, Any]:
    """Settings of the folder's image processor by which the whole of every image is resized to one size: this one, or
    where it is None the processor's own. Raises ModelError where that is none."""
    processor = images.processor_for(folder)
    if size is None:
        own = dict(processor.size or {}) if processor.do_resize else {}
        crop = dict(getattr(processor, "crop_size", None) or {}) if getattr(processor, "do_center_crop", False) else {}
        one = next((s for s in (crop, own) if s.get("height") and s.get("width")), None)
        if one is None:
            raise ModelError(
                f"{folder}: its image processor does not resize images to one height and width ({own or 'no size'}); "
                "give the task `size: [height, width]`"
            )
        size = one["height"], one["width"]
    found: dict[str, Any] = {"do_resize": True, "size": {"height": size[0], "width": size[1]}}
    if getattr(processor, "do_center_crop", None) is not None:
        found["do_center_crop"] = False
    return found
