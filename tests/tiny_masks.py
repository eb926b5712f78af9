"""Tiny segmentation models and data on disk: squares of two colours, and masks of what is where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import numpy as np
import PIL.Image
import torch
import transformers
from tiny_tasks import _task

from bench.suite.trial import Json

LABELS = ["ground", "red", "blue"]


def tiny_segmenter(family: str, folder: Path, labels: list[str], bare: bool = False) -> Any:
    """A SegFormer, or a DeepLab on a MobileNetV2, with random weights, and its image processor, which crops.

    bare: without a decode head.
    """
    torch.manual_seed(0)
    config: Any
    if family == "segformer":
        config = transformers.SegformerConfig(
            hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1], num_attention_heads=[1, 1, 1, 1], decoder_hidden_size=8,
            sr_ratios=[2, 1, 1, 1], mlp_ratios=[1, 1, 1, 1],
        )  # fmt: skip
    else:
        config = transformers.MobileNetV2Config(depth_multiplier=0.1, output_stride=8)
    config.id2label, config.label2id = dict(enumerate(labels)), {label: n for n, label in enumerate(labels)}
    auto = transformers.AutoModel if bare else transformers.AutoModelForSemanticSegmentation
    model = auto.from_config(config).eval()
    model.save_pretrained(folder)
    transformers.MobileNetV2ImageProcessor(
        size={"shortest_edge": 40}, crop_size={"height": 32, "width": 32}, do_center_crop=True
    ).save_pretrained(folder)
    return model


def scenes(count: int, seed: int, size: tuple[int, int] = (24, 40)) -> list[dict[str, Any]]:
    """Rows of an image and its mask: a red or a blue square on the ground, a strip of which nobody labelled (255)."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        image = random.integers(90, 130, (*size, 3), dtype=np.uint8)
        mask = np.zeros(size, dtype=np.uint8)
        top, left = random.integers(0, size[0] - 10), random.integers(0, size[1] - 10)
        kind = 1 + number % 2
        image[top : top + 10, left : left + 10] = (220, 20, 20) if kind == 1 else (20, 20, 220)
        mask[top : top + 10, left : left + 10] = kind
        mask[:, -2:] = 255
        rows.append({"image": PIL.Image.fromarray(image), "mask": PIL.Image.fromarray(mask)})
    return rows


def write_scenes(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A parquet file of images and masks, as the Hub has them."""
    features = datasets.Features({"image": datasets.Image(), "mask": datasets.Image()})
    datasets.Dataset.from_list(rows, features=features).to_parquet(path)
    return path


def mask_task(folder: Path, tests: list[dict[str, Any]] | None = None, **own: Any) -> tuple[Json, Json]:
    """A segmentation task as a trial holds it, and where its data lies. tests: the test split's rows, by default 8."""
    files = {
        "train": str(write_scenes(folder / "train.parquet", scenes(24, 0))),
        "test": str(write_scenes(folder / "test.parquet", tests or scenes(8, 1))),
    }
    return _task("semantic-segmentation", "files", {"files": files}, LABELS, {"metrics": ["mean-iou"], **own})
