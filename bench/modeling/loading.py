"""Builds a backbone from a local folder: its pretrained weights, or the same architecture with random ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import nn

from bench.errors import ModelError
from bench.modeling.classifier import Classifier
from bench.private_api import leave_masks_unread

UNSAFE = (
    "its pickled weights hold more than tensors and would run code of their own; nothing of them was loaded: save the "
    "model as safetensors"
)


def classifier(
    folder: Path,
    *,
    classes: int,
    pooling: str,
    modality: str,
    pretrained: bool,
    seed: int,
    dropout: float | None = None,
    dtype: str = "float32",
    trust_remote_code: bool = False,
) -> Classifier:
    """A classifier on the folder's backbone, its head (and a random backbone, always in fp32) drawn by `seed`.

    dropout replaces every dropout rate of the architecture's config where given. A pooler of its own that `pooling`
    does not ask for is taken off, so that it is neither run, trained nor counted. Raises ModelError where transformers
    cannot build the model.
    """
    from transformers import AutoConfig, AutoModel

    leave_masks_unread()
    torch.manual_seed(seed)
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": trust_remote_code}
    with building(folder):
        config = AutoConfig.from_pretrained(folder, **options)
        if dropout is not None:
            set_dropout(config, dropout)
        config.use_cache = False
        if pretrained:
            backbone = AutoModel.from_pretrained(
                folder, config=config, dtype=getattr(torch, dtype), weights_only=True, **options
            )
        else:
            backbone = AutoModel.from_config(config, dtype=torch.float32, trust_remote_code=trust_remote_code)
    backbone = tower(backbone, config, modality)
    pooler = getattr(backbone, "pooler", None)
    if pooling != "pooler" and isinstance(pooler, nn.Module) and next(pooler.parameters(), None) is not None:
        backbone.register_module("pooler", None)
    torch.manual_seed(seed)  # the head must not depend on how much randomness building the backbone took
    rate = dropout if dropout is not None else getattr(backbone.config, "hidden_dropout_prob", 0.0)
    return Classifier(backbone, pooling, classes, rate)


@contextmanager
def building(folder: Path) -> Iterator[None]:
    """What transformers raises while it builds the folder's model, as ModelError."""
    try:
        yield
    except UnpicklingError as error:
        raise ModelError(f"{folder}: {UNSAFE}") from error
    except (OSError, ValueError, ImportError, KeyError, RuntimeError) as error:
        raise ModelError(f"{folder}: transformers cannot build this model: {error}") from error


def set_dropout(config: Any, rate: float) -> None:
    """Set every dropout rate a config names, those of its parts included."""
    for key, value in vars(config).items():
        if hasattr(value, "to_dict"):
            set_dropout(value, rate)
        elif isinstance(value, (int, float)) and (
            key.endswith(("dropout", "pdrop", "drop_rate", "dropout_prob", "drop_path_rate"))
        ):
            setattr(config, key, rate)


def tower(model: Any, config: Any, modality: str) -> nn.Module:
    """The part of a many-towered model that sees this modality."""
    if modality == "image" and hasattr(config, "vision_config"):
        tower: nn.Module = model.vision_model
    elif modality == "text" and hasattr(config, "text_config") and hasattr(config, "vision_config"):
        tower = model.text_model
    elif config.is_encoder_decoder:
        tower = model.get_encoder()
    else:
        tower = model
    return tower
