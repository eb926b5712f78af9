"""Writes a network into a folder as transformers lays out its models, once it is known to be one that can be used."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from bench.errors import ModelError
from bench.modeling.networks import state_dict
from bench.modeling.networks.build import Recipe, build, convolutional, keep_buffers
from bench.modeling.networks.models import TYPE, without
from bench.modeling.networks.own_code import said

EXAMPLES = 2


def write(
    folder: Path, recipe: Recipe, processor: Mapping[str, Any], labels: Sequence[str], *,
    weights: Path | Mapping[str, Tensor] | None, seed: int = 0, allow_missing: Sequence[str] = (),
) -> None:  # fmt: skip
    """Fill a folder that `NetworkModel` and `NetworkForImageClassification` load. processor: its
    preprocessor_config.json. labels: empty where the outputs have no names. weights: all of the network's but those
    that may be missing; None: as its author draws them. seed: of what is drawn.

    Raises ModelError where the network cannot be built, the weights do not fit, or it does not answer an image with the
    outputs of a linear layer, one for each label.
    """
    torch.manual_seed(seed)
    network = build(recipe)
    if weights is not None:
        given, origin = (state_dict.read(weights), str(weights)) if isinstance(weights, Path) else (weights, "what is")
        state_dict.load(network, given, origin, allow_missing)
    crop = processor["crop_size"]
    shape = (EXAMPLES, processor["num_channels"], crop["height"], crop["width"])
    last, outputs = _last(network, shape)
    if labels and len(labels) != outputs:
        raise ModelError(f"the suite names {len(labels)} labels, and the network gives {outputs} outputs")
    known = {"id2label": dict(enumerate(labels)), "label2id": {name: n for n, name in enumerate(labels)}}
    config = {
        "model_type": TYPE, "architectures": ["NetworkForImageClassification"], "recipe": dict(recipe), "last": last,
        "image_size": [crop["height"], crop["width"]], "num_channels": processor["num_channels"],
        "convolutional": convolutional(network), **({"random_weights": True} if weights is None else {}),
        **(known if labels else {"id2label": {str(n): f"LABEL_{n}" for n in range(outputs)}}),
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    (folder / "preprocessor_config.json").write_text(json.dumps(dict(processor), indent=1))
    keep_buffers(network)
    held = {_name(name, last): value.detach().clone().contiguous() for name, value in network.state_dict().items()}
    save_file(held, folder / "model.safetensors", {"format": "pt"})


def _name(name: str, last: str) -> str:
    """What `NetworkForImageClassification` calls one of the network's weights."""
    return f"head.{name.removeprefix(last + '.')}" if name.startswith(f"{last}.") else f"network.net.{name}"


def _last(network: nn.Module, shape: tuple[int, ...]) -> tuple[str, int]:
    """The name of the linear layer that gives the network's outputs, and how many these are. Raises ModelError."""
    run: list[str] = []
    network = network.eval()
    hooks = [
        module.register_forward_hook(lambda *_, name=name: run.append(name))
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear)
    ]
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    try:
        with torch.no_grad():
            found: Any = network(images)
    except Exception as error:
        raise ModelError(f"the network cannot take images {[*shape]}: {said(error)}") from error
    finally:
        for hook in hooks:
            hook.remove()
    if not isinstance(found, Tensor) or found.ndim != 2 or len(found) != len(images):
        shown = [*found.shape] if isinstance(found, Tensor) else type(found).__name__
        raise ModelError(f"the network answers images {[*shape]} with {shown}, not with logits [n, labels]")
    if not run:
        raise ModelError("the network has no torch.nn.Linear, whose outputs could be its logits")
    net, head = without(copy.deepcopy(network), run[-1])
    with torch.no_grad():
        features: Any = net(images)
        again = head(features) if isinstance(features, Tensor) and features.ndim == 2 else None
    if again is None or not torch.equal(again, found):
        raise ModelError(
            f"what the network returns is not what its last linear layer ({run[-1]}) gives; have it return the logits, "
            "without a softmax or the like"
        )
    return run[-1], found.shape[1]
