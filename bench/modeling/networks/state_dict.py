"""Weights that somebody saved: a state dict in safetensors or a pickle, alone or in a checkpoint."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from bench.errors import ModelError
from bench.modeling.networks.own_code import said

WITHIN = ("state_dict", "model_state_dict", "model", "net", "network", "weights")
"""Where checkpoints keep the weights, beside an epoch, an optimiser and the like."""
WRAPPERS = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put before every name."""
COMPUTED = "*num_batches_tracked"
"""Older releases of torch did not save it."""


def read(path: Path) -> dict[str, Tensor]:
    """The weights in a file, by their names there. Raises ModelError."""
    try:
        if path.suffix == ".safetensors":
            return bare(path, load_file(path))
        return bare(path, torch.load(path, map_location="cpu", weights_only=True))
    except UnpicklingError as error:
        raise ModelError(
            f"{path}: holds more than tensors and plain values, which only running its code could read; nothing of it "
            "was loaded: save model.state_dict() alone"
        ) from error
    except (OSError, SafetensorError, RuntimeError, EOFError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read as weights: {said(error)}") from error


def bare(path: Path, found: Any) -> dict[str, Tensor]:
    """A state dict out of the checkpoint around it. Raises ModelError where there is none."""
    weights = found
    while isinstance(weights, Mapping) and (key := next((k for k in WITHIN if _is_dict(weights.get(k))), None)):
        weights = weights[key]
    if not _is_dict(weights) or not all(isinstance(value, Tensor) for value in weights.values()):
        held = ", ".join(map(str, weights)) if isinstance(weights, Mapping) else type(weights).__name__
        raise ModelError(f"{path}: holds no state dict, alone or as {', '.join(WITHIN)}; it holds {held[:200]}")
    return dict(weights)


def load(network: nn.Module, weights: Mapping[str, Tensor], origin: str, allow_missing: Sequence[str] = ()) -> None:
    """Put weights into a network: all of them, and nothing else. allow_missing: patterns of names that may stay as they
    were drawn. Raises ModelError."""
    own = network.state_dict()
    weights = _unwrapped(weights, own)
    missing = [
        name for name in own
        if name not in weights and not any(fnmatch.fnmatchcase(name, p) for p in (COMPUTED, *allow_missing))
    ]  # fmt: skip
    unknown = [name for name in weights if name not in own]
    odd = [
        f"{name} ({list(weights[name].shape)} in the file, {list(own[name].shape)} in the network)"
        for name in own if name in weights and weights[name].shape != own[name].shape
    ]  # fmt: skip
    said = [
        f"{problem} {_few(names)}"
        for problem, names in (("lacks", missing), ("has more than the network:", unknown), ("has other shapes:", odd))
        if names
    ]
    if said:
        wanted = f"the network, whose weights are {_few([*own])}"
        raise ModelError(f"{origin} does not fit {wanted}: it {'; it '.join(said)}")
    network.load_state_dict(weights, strict=False)


def _unwrapped(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Without the names of what the network was wrapped in when it was saved."""
    for prefix in (*WRAPPERS, *WRAPPERS):
        if all(name.startswith(prefix) for name in weights) and not all(name.startswith(prefix) for name in own):
            weights = {name.removeprefix(prefix): value for name, value in weights.items()}
    return weights


def _is_dict(value: Any) -> bool:
    return isinstance(value, Mapping) and len(value) > 0 and all(isinstance(key, str) for key in value)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
