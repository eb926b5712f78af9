"""Weights other than the pretrained ones to start from, as the cache keeps them: put in a backbone's place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from bench.errors import NotApplicable
from bench.suite.trial import Json

FILE = "start.pt"
_LACKING = (".pooler.", ".crossattention.")
"""Parts that one model on an architecture has and another has not; they stay as they were built."""


def state_of(backbone: Any) -> Json:
    """{"prefix", "weights"}: a backbone's tensors on the host, an adapter's merged in, and what stands before the names
    of those that a bare model has too. Raises NotApplicable where PEFT cannot merge the adapter."""
    model = merged(backbone)
    base = getattr(model, "base_model", model)
    weights = {name: value.detach().cpu() for name, value in model.state_dict().items()}
    return {"prefix": "" if base is model else f"{model.base_model_prefix}.", "weights": weights}


def place(backbone: Any, state: Json) -> None:
    """Put `state_of` another model on the same architecture in the backbone's place: all of it where both have the same
    parts, else what every model on it has. A joined encoder-decoder takes an encoder's twice.

    Raises NotApplicable where the two have not the same backbone.
    """
    weights, prefix = state["weights"], state["prefix"]
    if backbone.state_dict().keys() == weights.keys():
        _put(backbone, weights)
        return
    core = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
    joined = getattr(backbone.config, "model_type", "") == "encoder-decoder"
    for model in (backbone.encoder, backbone.decoder) if joined else (backbone,):
        _put(getattr(model, "base_model", model), core)


def write(folder: Path, state: Json) -> None:
    """Keep tensors and plain values in a folder."""
    torch.save(state, folder / FILE)


def read(folder: Path) -> Json:
    """What `write` kept, on the host."""
    found: Json = torch.load(folder / FILE, map_location="cpu", weights_only=True)
    return found


def merged(backbone: Any) -> nn.Module:
    """The backbone with an adapter's weights merged in. Raises NotApplicable where PEFT cannot merge them."""
    if not hasattr(backbone, "merge_and_unload"):
        return backbone  # type: ignore[no-any-return]
    try:
        return backbone.merge_and_unload()  # type: ignore[no-any-return]
    except (AttributeError, NotImplementedError, ValueError) as error:
        raise NotApplicable(f"PEFT cannot merge this adapter: {error}") from error


def _put(model: nn.Module, weights: Json) -> None:
    try:
        result = model.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        raise NotApplicable(f"the weights to start from are of another model: {error}") from error
    names = [*result.missing_keys, *result.unexpected_keys]
    differing = [name for name in names if not any(part in f".{name}" for part in _LACKING)]
    if differing:
        raise NotApplicable(f"the weights to start from are of a model with other parts ({differing[0]})")
