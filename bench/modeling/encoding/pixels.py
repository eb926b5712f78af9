"""Resizes and crops images once for all trials that share an image processor and a data set."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import ModelError
from bench.modeling.encoding.arrays import Pixels

CHUNK = 256


def processor_for(folder: Path) -> Any:
    """The folder's image processor. Raises ModelError where there is none."""
    from transformers import AutoImageProcessor

    try:
        return AutoImageProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelError(f"{folder}: transformers cannot load its image processor: {error}") from error


def resize(folder: Path, images: Sequence[Any], target: Path, **settings: Any) -> None:
    """Write every image as the processor resizes and crops it, uint8, to `target` as one array, to be read by `load`.
    settings: of the processor, in the place of its own.

    Scaling and normalising are left to the device: kept as bytes, images take a quarter of the room.
    """
    processor = processor_for(folder)
    array: np.memmap[Any, Any] | None = None
    row = 0
    for chunk in _chunks(images):
        found = processor(chunk, do_rescale=False, do_normalize=False, return_tensors="np", **settings)["pixel_values"]
        pixels = np.clip(np.rint(found), 0, 255).astype(np.uint8)
        if array is None:
            shape = (len(images), *pixels.shape[1:])
            array = np.lib.format.open_memmap(target / "pixels.npy", mode="w+", dtype=np.uint8, shape=shape)
        array[row : row + len(chunk)] = pixels
        row += len(chunk)
    if array is not None:
        array.flush()
    channels = array.shape[1] if array is not None else 3
    normalise = processor.do_normalize
    meta = {
        "scale": float(processor.rescale_factor) if processor.do_rescale else 1.0,
        "mean": list(processor.image_mean) if normalise else [0.0] * channels,
        "std": list(processor.image_std) if normalise else [1.0] * channels,
    }
    (target / "processor.json").write_text(json.dumps(meta))


def load(folder: Path) -> Pixels:
    """What `resize` wrote, memory-mapped."""
    meta = json.loads((folder / "processor.json").read_text())
    return Pixels(np.load(folder / "pixels.npy", mmap_mode="r"), meta["scale"], meta["mean"], meta["std"])


def _chunks(images: Sequence[Any]) -> Iterable[list[Any]]:
    for start in range(0, len(images), CHUNK):
        yield [images[i].convert("RGB") for i in range(start, min(start + CHUNK, len(images)))]
