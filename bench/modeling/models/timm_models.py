"""Where transformers' wrapper of timm's models, or of a user's own network, is not what a script of theirs has."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

TIMM = "timm_wrapper"
_WRITTEN_ELSEWHERE = (TIMM, "retrain-bench-network")


def as_a_script_holds_them(model: Any) -> None:
    """Have every tensor begin where torch itself would have it begin. transformers leaves them where they lie in the
    file, and there convolutions may take another kernel, whose last bits differ."""
    if model.config.model_type in _WRITTEN_ELSEWHERE:
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.data = tensor.data.clone()


def draw(model: Any, seed: int) -> None:
    """Draw a bare model of timm's anew as its author does. transformers draws every weight by a rule of its own."""
    if model.config.model_type == TIMM:
        import timm

        torch.manual_seed(seed)
        config = model.config
        model.timm_model = timm.create_model(
            config.architecture, pretrained=False, num_classes=0, **(config.model_args or {})
        )


def classifier_names(network: nn.Module) -> set[str]:
    """The weights of the classifier of a network of timm's, which a bare one lacks; none of any other."""
    find = getattr(network, "get_classifier", None)
    found = () if find is None else find()
    parts = found if isinstance(found, tuple | list) else (found,)
    held = {id(tensor) for part in parts for tensor in part.parameters()}
    return {name for name, tensor in network.named_parameters() if id(tensor) in held}
