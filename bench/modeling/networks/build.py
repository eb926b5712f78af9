"""A network by its recipe: a user's function is called, or torchvision's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from bench.errors import ModelError
from bench.modeling.networks import own_code

Recipe = Mapping[str, Any]
"""{"code": the SHA-256 of a file, "function": its name in it, "arguments"}, or {"torchvision": a name, "arguments"}."""


def build(recipe: Recipe) -> nn.Module:
    """The network as its author initialises it, drawn by torch's generator. Raises ModelError."""
    name, arguments = recipe.get("function") or recipe["torchvision"], dict(recipe["arguments"])
    if "code" in recipe:
        make = own_code.function(recipe["code"], name)
        try:
            network = make(**arguments)
        except (Exception, SystemExit) as error:
            raise ModelError(f"{name}({_shown(arguments)}) raised {own_code.said(error)}") from error
    else:
        from torchvision.models import get_model

        network = get_model(name, weights=None, **_without_weights(name), **arguments)
    if not isinstance(network, nn.Module):
        raise ModelError(f"{name}({_shown(arguments)}) returns no torch.nn.Module but {type(network).__name__}")
    return network


def set_dropout(network: nn.Module, rate: float) -> None:
    """Every dropout of the network at this rate."""
    for module in network.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = rate


def keep_buffers(network: nn.Module) -> None:
    """Have a state dict hold every buffer: transformers empties those that no file holds when it loads a model."""
    held = network.state_dict()
    for name, value in list(network.named_buffers(remove_duplicate=False)):
        if name not in held:
            parent, _, own = name.rpartition(".")
            network.get_submodule(parent).register_buffer(own, value)


def convolutional(network: nn.Module) -> bool:
    """Whether its convolutions overlap, as those do not that cut an image into a transformer's patches."""
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    return any(size > step for one in convolutions for size, step in zip(one.kernel_size, one.stride, strict=True))


def _without_weights(name: str) -> dict[str, Any]:
    """torchvision fetches a backbone's weights where it is not told otherwise."""
    import inspect

    from torchvision.models import get_model_builder

    takes = inspect.signature(get_model_builder(name)).parameters
    return {"weights_backbone": None} if "weights_backbone" in takes else {}


def _shown(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in arguments.items())
