"""Sources and targets as models that generate text read them, on disk and by token."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tiny_models import TEXTS

from bench.modeling.encoding.source_target import encode
from bench.modeling.encoding.source_target_arrays import Pairs, load
from bench.modeling.models.generator import generator

SOURCES = [*TEXTS[:4], "the end", "a film a joy a film a joy", "good", "not good at all", "the plot is dull", "a start"]
TARGETS = [[text[::-1], "another"] for text in SOURCES]


def paired(folder: Path, texts: Any = SOURCES, targets: Any = TARGETS, **options: Any) -> Pairs:
    """What `encode` leaves on disk."""
    if "MBart" in json.loads((folder / "config.json").read_text())["architectures"][0]:
        options.setdefault("languages", ("en_XX", "ro_RO"))
    target = folder.parent / f"pairs{len(list(folder.parent.iterdir()))}"
    target.mkdir()
    encode(folder, texts, targets, target_folder=target, **{"max_source": 40, "max_target": 20, **options})
    return load(target)


def built(folder: Path, **options: Any) -> Any:
    return generator(folder, **{"pretrained": True, "seed": 0, **options}).eval()


def target(data: Pairs, i: int) -> list[int]:
    return data.target[data.target_offsets[i] : data.target_offsets[i + 1]].tolist()


def source(data: Pairs, i: int) -> list[int]:
    return data.source[data.source_offsets[i] : data.source_offsets[i + 1]].tolist()
