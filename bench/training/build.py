"""A new model for a trial: built by its objective, from the weights it starts from, on its device."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from bench.contracts import Context
from bench.training import starting_weights


def build(context: Context, *, pretrained: bool, frozen: bool = False) -> Any:
    """frozen: the weights will not train, and are held in the model's `dtype`. Raises ModelError and NotApplicable."""
    context.tick("load", 0, None)
    model: Any = context.objective.build(context, pretrained=pretrained, frozen=frozen)
    context.intact()
    if pretrained and context.start is not None:
        starting_weights.place(model.backbone, starting_weights.read(context.start))
    built: nn.Module = model.to(context.device)
    return arranged(built, context.device.type)


def arranged(model: nn.Module, device: str) -> nn.Module:
    """Convolutions' weights with their channels last on a GPU, whose fast kernels want them so."""
    convolutional = any(isinstance(module, nn.Conv2d) for module in model.modules())
    return model.to(memory_format=torch.channels_last) if device == "cuda" and convolutional else model
