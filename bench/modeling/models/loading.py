"""Builds a backbone from a local folder: its pretrained weights, or the same architecture with random ones."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import nn

from bench.contracts import Context
from bench.data.seeding import stream
from bench.errors import BenchError, ModelError
from bench.modeling.heads.classifier import Classifier
from bench.modeling.heads.width import width
from bench.modeling.models.timm_models import as_a_script_holds_them, draw
from bench.private_api import leave_masks_unread
from bench.suite.trial import Json

UNSAFE = (
    "its pickled weights hold more than tensors and would run code of their own; nothing of them was loaded: save the "
    "model as safetensors"
)
COMPUTED = ("*position_ids", "*num_batches_tracked", "*inv_freq")
"""Tensors that no training changes and that files may leave out."""


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
    allow_missing: Sequence[str] = (),
) -> Classifier:
    """A classifier on the folder's backbone, its head (and a random backbone, always in fp32) drawn by `seed`.

    dropout replaces every dropout rate of the architecture's config where given. A pooler of its own that `pooling`
    does not ask for is taken off, so that it is neither run, trained nor counted. Raises ModelError where transformers
    cannot build the model, or its files lack weights of the backbone that are not allowed to be random.
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
        if not pretrained:
            model = AutoModel.from_config(config, dtype=torch.float32, trust_remote_code=trust_remote_code)
            draw(model, seed)
    if pretrained:
        model, gaps = from_files(AutoModel, folder, config=config, dtype=dtype, trust_remote_code=trust_remote_code)
    backbone = backbone_of(model, config, pooling, modality)
    if pretrained:
        require(folder, model, gaps, backbone, allow_missing)
    with building(folder):
        size = width(backbone, pooling, modality)
    torch.manual_seed(seed)  # the head must not depend on how much randomness building the backbone took
    rate = dropout if dropout is not None else getattr(backbone.config, "hidden_dropout_prob", 0.0)
    return Classifier(backbone, pooling, classes, rate, size)


def from_files(auto: Any, folder: Path, *, dtype: str, **options: Any) -> tuple[Any, dict[str, str]]:
    """The model that `auto`, a class of transformers or its name, builds from a local folder; and what its files do not
    give of it: {name of a tensor: what of it there is}, to be judged by `require`. All weights are read here.

    Raises ModelError where transformers cannot build it.
    """
    import transformers

    with building(folder):
        kind = getattr(transformers, auto) if isinstance(auto, str) else auto
        model, found = kind.from_pretrained(
            folder, dtype=getattr(torch, dtype), local_files_only=True, weights_only=True, output_loading_info=True,
            ignore_mismatched_sizes=True, **options,
        )  # fmt: skip
    as_a_script_holds_them(model)
    unread = "encoder.pooler." if kind is transformers.AutoModelForSeq2SeqLM else None  # of two BERTs made one writer
    gaps = {name: "" for name in found["missing_keys"] if unread is None or not name.startswith(unread)}
    for name, there, wanted in found["mismatched_keys"]:
        gaps[name] = f"{list(there)} in the files, {list(wanted)} by config.json"
    return model, gaps


def require(
    folder: Path, model: Any, gaps: Mapping[str, str], used: nn.Module, allow_missing: Sequence[str] = ()
) -> None:
    """Raise ModelError where weights of `used`, the model or a part of it, are not those of its files.

    gaps: from `from_files`. allow_missing: patterns of names that may be random.
    """
    inside = {id(tensor) for tensor in (*used.parameters(), *used.buffers())}
    whole = {name: id(tensor) for name, tensor in model.state_dict(keep_vars=True).items()}  # in the model's order
    computed = [name for name, module in model.named_modules() if "Sinusoidal" in type(module).__name__]
    allowed = (*COMPUTED, *(f"{name}.*" for name in computed), *allow_missing)
    lacking = [
        f"{name} ({gaps[name]})" if gaps[name] else name
        for name in whole
        if name in gaps and whole[name] in inside and not any(fnmatch.fnmatchcase(name, p) for p in allowed)
    ]
    if lacking:
        named = ", ".join(lacking[:3]) + (f" and {len(lacking) - 3} more" if len(lacking) > 3 else "")
        raise ModelError(
            f"{folder}: the model's files lack the weights of {named}, so they would be random: get the model anew or "
            "mend its config.json; where they may be random, name them under the model's allow_missing in the suite"
        )


def backbone_of(model: Any, config: Any, pooling: str, modality: str) -> nn.Module:
    """The part of a bare model that gives features, without a pooler that `pooling` does not ask for."""
    backbone = tower(model, config, modality)
    pooler = getattr(backbone, "pooler", None)
    if pooling != "pooler" and isinstance(pooler, nn.Module) and next(pooler.parameters(), None) is not None:
        backbone.register_module("pooler", None)
    return backbone


@contextmanager
def building(folder: Path) -> Iterator[None]:
    """What transformers raises while it builds the folder's model, as ModelError."""
    from bench.modeling.networks.models import register

    register()
    try:
        yield
    except (BenchError, MemoryError):
        raise
    except UnpicklingError as error:
        raise ModelError(f"{folder}: {UNSAFE}") from error
    except Exception as error:  # its checks are few: a config's odd value shows anywhere, as anything
        said = " ".join(str(error).split())[:300]
        raise ModelError(f"{folder}: transformers cannot build this model: {type(error).__name__}: {said}") from error


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


def file_options(context: Context) -> Json:
    """Whether the model's own code may run, and which of its weights may be random."""
    parameters = context.trial.model["parameters"]
    return {
        "trust_remote_code": parameters.get("trust_remote_code", False),
        "allow_missing": parameters.get("allow_missing", ()),
    }


def build_options(context: Context, *, frozen: bool) -> Json:
    """How objectives have models built: the seed of random weights, dropout, dtype, and what is allowed."""
    return {
        "seed": stream(context.trial.seed, "initialisation"),
        "dropout": context.trial.training.get("dropout"),
        "dtype": context.trial.model["parameters"]["dtype"] if frozen else "float32",
        **file_options(context),
    }
