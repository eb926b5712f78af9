"""Keeps a trained network of a user's own, or of torchvision's, as its author would: a state dict, by its own names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bench.contracts import Context
from bench.modeling.networks.build import build


def write(folder: Path, context: Context, model: Any) -> str:
    """Fill a folder: `model.safetensors`, the file of the user's code, what is done to images, and `network.json` with
    what is called, and which linear layer the task's classes took the place of. Returns "": no class of transformers
    loads it."""
    config = model.backbone.config
    net, head = model.backbone.net.state_dict(), model.head.state_dict()
    own = [name for name in build(config.recipe).state_dict() if not name.startswith(f"{config.last}.")]
    weights = {name: net[name] for name in own} | {f"{config.last}.{name}": value for name, value in head.items()}
    save_file({name: value.clone().contiguous() for name, value in weights.items()}, folder / "model.safetensors")
    for path in (context.folder / "preprocessor_config.json", *context.folder.glob("*.py")):
        shutil.copyfile(path, folder / path.name)
    known = {**config.recipe, "head": config.last, "labels": context.labels}
    (folder / "network.json").write_text(json.dumps(known, indent=1))
    return ""


def read_back(folder: Path, context: Context, model: Any, batch: dict[str, Tensor]) -> Tensor:
    """What the kept weights answer in a new network, with a head for the task: logits [n, classes]."""
    config = model.backbone.config
    network = build(config.recipe)
    network.set_submodule(config.last, nn.Linear(model.head.in_features, model.head.out_features))
    network.load_state_dict(load_file(folder / "model.safetensors"))
    with torch.inference_mode():
        logits: Tensor = network.eval()(batch["pixel_values"])
    return logits
