"""Which layers of a convolutional network an adapter of PEFT's covers, and what PEFT's own layers lack there."""

from __future__ import annotations

from typing import Any

from torch import nn

from bench.private_api import linear_kinds

GEOMETRY = ("stride", "padding", "dilation", "kernel_size", "groups", "padding_mode", "in_channels", "out_channels")


def layers(backbone: nn.Module) -> list[str]:
    """The names of its linear layers and ungrouped convolutions.

    Grouped ones are left out: PEFT refuses them for most ranks and cannot merge them, and they hold few weights.
    """
    return [
        name
        for name, module in backbone.named_modules()
        if isinstance(module, linear_kinds()) or (isinstance(module, nn.Conv2d) and module.groups == 1)
    ]


def grouped(backbone: nn.Module) -> int:
    """How many grouped convolutions it has."""
    return sum(isinstance(module, nn.Conv2d) and module.groups > 1 for module in backbone.modules())


def dead(backbone: nn.Module, names: list[str]) -> list[str]:
    """Those of these layers that are convolutions with a filter of zeros: DoRA divides by its norm, and gives nan.

    Real networks have some: 3 of the 35 ungrouped convolutions of a MobileNetV2 trained on ImageNet.
    """
    found = ((name, backbone.get_submodule(name)) for name in names)
    return [name for name, m in found if isinstance(m, nn.Conv2d) and not m.weight.flatten(1).any(1).all()]


def complete(adapted: Any) -> None:
    """Give PEFT's layers around convolutions what a convolution says of itself: transformers' MobileNets ask for it, to
    pad as TensorFlow does."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for module in adapted.modules():
        base = module.get_base_layer() if isinstance(module, BaseTunerLayer) else None
        if isinstance(base, nn.Conv2d):
            vars(module).update({name: vars(base)[name] for name in GEOMETRY} | vars(module))
