"""What share of training on images goes by waiting for them: nothing of a step may wait for decoding or augmentation.

    python benchmarks/feeding.py

On a CPU: a ResNet of eight layers on images of 32 × 32 pixels, batch 16 on one thread, where images are prepared
between steps. On a GPU: ViT-B/16 and ResNet-50 on images of 224 × 224 pixels in bf16, batch 128, prepared ahead by
processes. Weights and pixels are random; each line is one run of a trial's own loop.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import transformers
from torch import Tensor, nn

from bench.modeling.encoding.arrays import Pixels
from bench.suite.parameters import Augmentation, Budget, Training
from bench.training.augmentation import Varying
from bench.training.feeding import Feed, workers
from bench.training.loop import train
from bench.training.loss import cross_entropy
from bench.training.sampler import endless

KINDS: tuple[Augmentation, ...] = ("none", "flip", "crop", "randaugment")
CLASSES, IMAGES = 10, 1024
RESNET8 = {"embedding_size": 16, "hidden_sizes": [16, 32, 64], "depths": [1, 1, 1], "layer_type": "basic"}
CASES: dict[str, list[tuple[str, str, dict[str, Any], int, int, int]]] = {
    "cpu": [("ResNet-8", "resnet", RESNET8, 32, 16, 120)],
    "cuda": [("ViT-B/16", "vit", {}, 224, 128, 60), ("ResNet-50", "resnet", {}, 224, 128, 60)],
}
"""On each device: (name, transformers' architecture, its configuration, pixels a side, batch, steps)."""


class Logits(nn.Module):
    """A model of transformers as the loop takes it."""

    def __init__(self, architecture: str, config: dict[str, Any], size: int) -> None:
        super().__init__()
        own = {"image_size": size} if architecture == "vit" else {}
        known = transformers.AutoConfig.for_model(architecture, num_labels=CLASSES, **own, **config)
        self.model = transformers.AutoModelForImageClassification.from_config(known)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Logits, [n, classes]."""
        logits: Tensor = self.model(**batch).logits
        return logits


def share(case: tuple[str, str, dict[str, Any], int, int, int], kind: Augmentation, device: torch.device) -> str:
    """A line: seconds a step, images a second, and the share of the time that training waited for images."""
    name, architecture, config, size, batch, steps = case
    generator = np.random.default_rng(0)
    pixels = Pixels(generator.integers(0, 256, (IMAGES, 3, size, size), dtype=np.uint8), 1 / 255, [0.5] * 3, [0.25] * 3)
    indices, labels = np.arange(IMAGES), generator.integers(0, CLASSES, IMAGES)

    def batches() -> Iterator[np.ndarray]:
        return endless(pixels.lengths, batch, 0)

    feed = Feed(pixels, indices, batches, Varying(kind, 0), workers(device))
    model = Logits(architecture, config, size).to(device)
    goal = cross_entropy(lambda rows: feed.batch(rows, device), labels, pixels.lengths, device)
    options = {"precision": "bf16" if device.type == "cuda" else "fp32"}

    def run(count: int) -> float:
        begun = time.perf_counter()
        train(
            model, goal, feed, budget=Budget(steps=count), training=Training(batch_size=batch, **options),
            learning_rate=1e-4, micro_batch=batch, device=device,
        )  # fmt: skip
        return time.perf_counter() - begun

    run(5)  # the processes start, and the device warms up
    feed.waited = 0.0
    took = run(steps)
    feed.close()
    found = f"{name:10} {kind:12} {took / steps:.4f} s a step, {steps * batch / took:7.0f} images/s, "
    return found + f"{feed.waited / took:.1%} of it waiting for images"


def main() -> None:
    """Print a line for each model and augmentation."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        torch.set_num_threads(1)
    print(f"{device.type}, {workers(device)} processes prepare images")
    for case in CASES[device.type]:
        for kind in KINDS:
            print(share(case, kind, device), flush=True)


if __name__ == "__main__":
    main()
