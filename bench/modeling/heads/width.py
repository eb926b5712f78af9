"""How wide a backbone's features are: measured, for configs name it in many ways, name it wrongly, or not at all."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from bench.errors import ModelError
from bench.modeling.heads.pool import pool

TOKENS = 4
SIZE = 224
"""Pixels a side where the config names none: then the network takes any."""


def width(backbone: nn.Module, pooling: str, modality: str) -> int:
    """The size of what `pool` makes of one empty example. Raises ModelError where that is no vector."""
    batch, training = _empty(backbone, modality), backbone.training
    backbone.eval()  # batch normalisation must not learn from it, nor dropout draw
    with torch.no_grad():  # not inference_mode: what a module keeps of it could not train
        found = pool(backbone(**batch), batch.get("attention_mask"), pooling)
    backbone.train(training)
    if found.ndim != 2 or len(found) != 1:
        raise ModelError(f"its features, pooled by `{pooling}`, are no vector: {list(found.shape)}")
    return found.shape[1]


def _empty(backbone: nn.Module, modality: str) -> dict[str, Tensor]:
    """One example as the model takes it, of zeros."""
    if modality != "image":
        one = torch.ones(1, TOKENS, dtype=torch.int64)
        return {"input_ids": torch.zeros_like(one), "attention_mask": one}
    config: Any = backbone.config
    size = getattr(config, "image_size", None) or SIZE
    height, wide = (size, size) if isinstance(size, int) else size
    weights = next((p for p in backbone.parameters() if p.is_floating_point()), torch.zeros(()))
    return {"pixel_values": weights.new_zeros(1, getattr(config, "num_channels", 3), height, wide)}
