"""A class for every pixel: a whole segmentation model of transformers, its last layer new."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bench.errors import ModelError
from bench.modeling.models.loading import COMPUTED, building, from_files, require, set_dropout

AUTO = "AutoModelForSemanticSegmentation"


class Segmenter(nn.Module):
    """Images → the whole model's logits [n, classes, height, width], of fewer pixels than the image has.

    whole: transformers' model; part: the name of what is before its decode head, the `backbone` that regimes freeze or
    wrap; new: its parts without pretrained weights.
    """

    def __init__(self, whole: Any, part: str, new: Sequence[nn.Module]) -> None:
        super().__init__()
        self.whole = whole
        self.part = part
        self.new = tuple(new)

    @property
    def backbone(self) -> Any:
        """What gives features, without the decode head."""
        return getattr(self.whole, self.part)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "backbone":
            setattr(self.whole, self.part, value)
        else:
            super().__setattr__(name, value)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Logits, [n, classes, height, width]."""
        logits: Tensor = self.whole(**batch).logits
        return logits


def segmenter(
    folder: Path,
    *,
    classes: int,
    pretrained: bool,
    seed: int,
    dropout: float | None = None,
    trust_remote_code: bool = False,
    allow_missing: Sequence[str] = (),
) -> Segmenter:
    """The folder's model with so many classes: all of its weights but the last layer's; where the files hold nothing of
    a decode head, that is new as a whole. What is new is drawn by `seed`. Always in float32.

    Raises ModelError where transformers cannot build it, or its files lack weights besides.
    """
    import transformers

    torch.manual_seed(seed)
    options: dict[str, Any] = {"trust_remote_code": trust_remote_code}
    auto: Any = getattr(transformers, AUTO)
    with building(folder):
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, **options)
        if dropout is not None:
            set_dropout(config, dropout)
        config.num_labels = classes
        if getattr(config, "use_auxiliary_head", False):
            config.use_auxiliary_head = False  # it is trained along with the head and answers nothing
        if not pretrained:
            whole = auto.from_config(config, dtype=torch.float32, **options)
        wider = copy.deepcopy(config)
        wider.num_labels = classes + 1
        with torch.device("meta"):
            other = auto.from_config(wider, **options)
    gaps: dict[str, str] = {}
    if pretrained:
        whole, gaps = from_files(auto, folder, config=config, dtype="float32", **options)
    part, (name, last) = _backbone(folder, whole), _last(folder, whole, other)
    new: list[nn.Module] = [whole]
    if pretrained:
        head = {name: one for name, one in whole.named_children() if name != part}
        fresh = head if all(tensor in gaps for tensor in _tensors(head)) else {name: last}
        require(folder, whole, gaps, whole, (*(f"{name}.*" for name in fresh), *allow_missing))
        new = list(fresh.values())
    torch.manual_seed(seed)  # the layer must not depend on how much randomness building the rest took
    nn.init.normal_(last.weight, std=0.02)
    if last.bias is not None:
        nn.init.zeros_(last.bias)
    return Segmenter(whole, part, new)


def _tensors(head: Mapping[str, nn.Module]) -> Iterator[str]:
    """The names of a head's weights, without what no training changes."""
    endings = tuple(pattern.lstrip("*") for pattern in COMPUTED)
    for name, module in head.items():
        yield from (f"{name}.{key}" for key in module.state_dict() if not key.endswith(endings))


def _backbone(folder: Path, whole: Any) -> str:
    """The name of the part before the decode head. Raises ModelError where there is none."""
    for name in (whole.base_model_prefix, "backbone"):
        if name and isinstance(getattr(whole, name, None), nn.Module):
            return str(name)
    raise ModelError(f"{folder}: {type(whole).__name__} has no backbone that can be told from its decode head")


def _last(folder: Path, whole: nn.Module, other: nn.Module) -> tuple[str, nn.Conv2d]:
    """The layer that gives the classes, and its name: what a model with one class more (other) has wider. It need not
    be the last that is registered. Raises ModelError where it is no single convolution."""
    shapes = {name: tensor.shape for name, tensor in other.named_parameters()}
    wider = {name.rpartition(".")[0] for name, own in whole.named_parameters() if own.shape != shapes.get(name)}
    found = [(name, whole.get_submodule(name)) for name in wider]
    if len(found) != 1 or not isinstance(found[0][1], nn.Conv2d):
        raise ModelError(f"{folder}: {type(whole).__name__} does not give its classes by one convolution")
    return found[0]  # type: ignore[return-value]
