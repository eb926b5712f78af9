"""Resizes and crops images once for all trials that share an image processor and a data set."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from bench.errors import ModelError
from bench.modeling.encoding.arrays import Pixels
from bench.modeling.encoding.stored_rows import StoredRows, write_rows
from bench.modeling.networks.image_processor import own_processor
from bench.suite.trial import Json

CHUNK = 32
"""Images in memory at a time, as large as they are in the data."""


def processor_for(folder: Path, **settings: Any) -> Any:
    """The folder's image processor. settings: in the place of its own. Raises ModelError where there is none."""
    from transformers import AutoImageProcessor

    if (own := own_processor(folder, settings)) is not None:
        return own
    try:
        return AutoImageProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False, **settings)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelError(f"{folder}: transformers cannot load its image processor: {error}") from error


def resize(folder: Path, images: Sequence[Any], target: Path, **settings: Any) -> None:
    """Write every image as the processor resizes and crops it, uint8, to `target` as one array, to be read by `load`.
    settings: of the processor, in the place of its own.

    Scaling and normalising are left to the device: kept as bytes, images take a quarter of the room. Those of a
    processor that does more than that are kept as it gives them.
    """
    processor = processor_for(folder, **settings)
    meta = _normalising(processor)
    pixels = (_pixels(processor, chunk, as_bytes=meta is not None) for chunk in _chunks(images))
    write_rows(target / "pixels.npy", len(images), pixels)
    known = {**(meta or _AS_THEY_ARE), "preprocessing": _described(processor)}
    (target / "processor.json").write_text(json.dumps(known))


def load(folder: Path) -> Pixels:
    """What `resize` wrote, to be read as it is used."""
    return Pixels(StoredRows(folder / "pixels.npy"), **json.loads((folder / "processor.json").read_text()))


_AS_THEY_ARE: Json = {"scale": 1.0, "mean": None, "std": None}


def _pixels(processor: Any, chunk: list[Any], *, as_bytes: bool) -> np.ndarray:
    """[n, channels, height, width]: as_bytes, resized and cropped alone; else all that the processor does, float32."""
    if not as_bytes:
        return np.asarray(processor(chunk, return_tensors="pt")["pixel_values"].float())
    found = processor(chunk, do_rescale=False, do_normalize=False, return_tensors="np")["pixel_values"]
    pixels: np.ndarray = np.clip(np.rint(found), 0, 255).astype(np.uint8)
    return pixels


def _normalising(processor: Any) -> Json | None:
    """By what `Pixels` scales and normalises; None where that is not, to the bit, what the processor does."""
    scale, mean, std = _numbers(processor)
    known: Json = {"scale": 1.0 if scale is None else scale, "mean": mean, "std": std}
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    chunk = [Image.fromarray(noise)]
    try:
        kept = _pixels(processor, chunk, as_bytes=True)
    except TypeError:  # it cannot be told to leave scaling and normalising to others
        return None
    wanted = _pixels(processor, chunk, as_bytes=False)
    for way in (known, known | {"fused": False}):
        found = Pixels(kept, **way).batch(np.arange(1), torch.device("cpu"))
        if np.array_equal(found["pixel_values"], wanted):
            return way
    return None


def _numbers(processor: Any) -> tuple[float | None, list[float] | None, list[float] | None]:
    """By what the processor says it multiplies, what it subtracts and by what it divides then, per channel."""
    scale = float(processor.rescale_factor) if getattr(processor, "do_rescale", None) else None
    if not getattr(processor, "do_normalize", None):
        return scale, None, None
    return scale, np.atleast_1d(processor.image_mean).tolist(), np.atleast_1d(processor.image_std).tolist()


def _described(processor: Any) -> Json:
    """What the processor does, in its own words; what it does not do is None."""
    resizes, crops = getattr(processor, "do_resize", None), getattr(processor, "do_center_crop", None)
    scale, mean, std = _numbers(processor)
    return {
        "processor": type(processor).__name__,
        "backend": getattr(processor, "backend", None),
        "size": _size(processor.size) if resizes else None,
        "resample": Image.Resampling(processor.resample).name.lower() if resizes else None,
        "crop": _size(processor.crop_size) if crops else None,
        "scale": scale,
        "mean": mean,
        "std": std,
    }


def _size(size: Any) -> Json:
    return {name: int(value) for name, value in dict(size).items() if value is not None}


def _chunks(images: Sequence[Any]) -> Iterable[list[Any]]:
    for start in range(0, len(images), CHUNK):
        yield [images[i].convert("RGB") for i in range(start, min(start + CHUNK, len(images)))]
