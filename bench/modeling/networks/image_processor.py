"""What a network sees of an image, where the suite or torchvision says it: as scripts of torchvision compute it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.modeling.encoding.arrays import in_order

NAME = "NetworkImageProcessor"


class NetworkImageProcessor:
    """Resizes and cuts Pillow's images by torchvision's transforms, then (pixel · scale - mean) / std, in this order.
    Its settings have transformers' names, and it is called as its image processors are."""

    backend = "pil"

    def __init__(
        self, *, size: Mapping[str, int], resample: int, crop_size: Mapping[str, int], rescale_factor: float,
        image_mean: list[float] | None, image_std: list[float] | None, num_channels: int, do_resize: bool,
        do_center_crop: bool, do_rescale: bool, do_normalize: bool, **_: Any,
    ) -> None:  # fmt: skip
        self.size, self.resample, self.crop_size = dict(size), resample, dict(crop_size)
        self.rescale_factor, self.image_mean, self.image_std = rescale_factor, image_mean, image_std
        self.do_resize, self.do_center_crop, self.num_channels = do_resize, do_center_crop, num_channels
        self.do_rescale, self.do_normalize = do_rescale, do_normalize

    def __call__(
        self,
        images: Sequence[Any],
        *,
        do_rescale: bool | None = None,
        do_normalize: bool | None = None,
        return_tensors: str = "pt",
    ) -> Any:
        """{"pixel_values": float32 [n, channels, height, width]}."""
        from transformers import BatchFeature

        scaled = self.do_rescale if do_rescale is None else do_rescale
        normalised = self.do_normalize if do_normalize is None else do_normalize
        values = torch.stack([self._pixels(image) for image in images]).float()
        mean, std = (self.image_mean, self.image_std) if normalised else (None, None)
        found = in_order(values, self.rescale_factor if scaled else 1.0, mean, std)
        return BatchFeature({"pixel_values": found}, tensor_type=return_tensors)

    def _pixels(self, image: Any) -> Tensor:
        """uint8 [channels, height, width]."""
        from torchvision.transforms import InterpolationMode, functional

        shown = image.convert("L" if self.num_channels == 1 else "RGB")
        if self.do_resize:
            sides = self.size.get("shortest_edge") or [self.size["height"], self.size["width"]]
            named = {0: "NEAREST", 1: "LANCZOS", 2: "BILINEAR", 3: "BICUBIC"}[self.resample]
            shown = functional.resize(shown, sides, InterpolationMode[named])
        if self.do_center_crop:
            shown = functional.center_crop(shown, [self.crop_size["height"], self.crop_size["width"]])
        found: Tensor = functional.pil_to_tensor(shown)
        return found


def own_processor(folder: Path, settings: Mapping[str, Any]) -> NetworkImageProcessor | None:
    """The folder's image processor, with these settings in the place of its own, where it is one of these."""
    path = folder / "preprocessor_config.json"
    if not path.is_file() or NAME not in (text := path.read_text(encoding="utf-8")):
        return None
    return NetworkImageProcessor(**{**json.loads(text), **settings})
