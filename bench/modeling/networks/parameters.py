"""What a suite says of a network that is no model of transformers: what it sees, and what its outputs mean. Imports
nothing heavy."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from bench.suite.parameters import ModelParameters, Strict

Side = Annotated[int, Field(ge=1)]
Sides = Side | tuple[Side, Side]
Channels = float | Annotated[tuple[float, ...], Field(min_length=1, max_length=3)]


class Input(Strict):
    """How an image becomes what a network sees: resized, cut, then (pixel · scale - mean) / std, in this order."""

    size: Sides = Field(description="pixels a side, or [height, width], that the network sees")
    resize: Side | None = Field(
        default=None,
        description="pixels of the shorter side, before `size` is cut from the middle; null: all of it, to `size`",
    )
    resample: Literal["nearest", "bilinear", "bicubic", "lanczos"] = Field(
        default="bilinear", description="Pillow's filter"
    )
    scale: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="a pixel of 0 to 255 is multiplied by it; null: divided by 255, as ToTensor does"
    )
    mean: Channels | None = Field(default=None, description="one number, or one for each channel; null: none")
    std: Channels | None = Field(default=None, description="likewise")
    channels: Literal[1, 3] = Field(default=3, description="1: grey")

    @model_validator(mode="after")
    def _by_channel(self) -> Input:
        if (self.mean is None) != (self.std is None):
            raise ValueError("give both mean and std, or neither")
        for name in ("mean", "std"):
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != self.channels:
                raise ValueError(f"{name} has {len(value)} numbers for {self.channels} channels")
        if self.std is not None and min(self.std if isinstance(self.std, tuple) else (self.std,)) <= 0:
            raise ValueError("std must be greater than 0")
        return self


class NetworkParameters(ModelParameters):
    """What every such network takes."""

    labels: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(), description="what its outputs mean, in their order; empty: unknown, so it is not asked as it is"
    )
    seed: Annotated[int, Field(ge=0)] = Field(default=0, description="of its weights, where `weights` is not given")

    @model_validator(mode="after")
    def _one_vector(self) -> NetworkParameters:
        if self.pooling not in (None, "pooler"):
            raise ValueError("the features of such a network are what its last linear layer is given: leave `pooling`")
        if len({label.casefold() for label in self.labels}) < len(self.labels):
            raise ValueError("labels: one is named twice")
        return self


def processor_settings(given: Input) -> dict[str, Any]:
    """`preprocessor_config.json` of it, in transformers' words."""
    height, width = (given.size, given.size) if isinstance(given.size, int) else given.size
    seen = {"height": height, "width": width}

    def each(value: Channels | None) -> list[float] | None:
        return None if value is None else list(value) if isinstance(value, tuple) else [value] * given.channels

    return {
        "image_processor_type": "NetworkImageProcessor",
        "do_resize": True, "size": seen if given.resize is None else {"shortest_edge": given.resize},
        "resample": {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3}[given.resample],
        "do_center_crop": given.resize is not None, "crop_size": seen,
        "do_rescale": given.scale != 1, "rescale_factor": given.scale or 1 / 255,
        "do_normalize": given.mean is not None, "image_mean": each(given.mean), "image_std": each(given.std),
        "num_channels": given.channels,
    }  # fmt: skip
