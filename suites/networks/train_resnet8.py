"""Makes resnet8-cifar10.safetensors: ResNet-8 trained on CIFAR-10's training images, with flips and shifts.

    python suites/networks/train_resnet8.py        five minutes on one core

It prints the accuracy on the test split; the weights of the last epoch are kept, whatever that is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from resnet8 import resnet8
from safetensors.torch import save_file
from torch import Tensor, nn

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)
"""Of CIFAR-10's training pixels, from 0 to 1; the suite names them too."""
EPOCHS, BATCH, LEARNING_RATE, WEIGHT_DECAY = 24, 128, 0.2, 5e-4


def read(split: Any) -> tuple[Tensor, Tensor]:
    """Pixels, normalised, float32 [n, 3, 32, 32], and classes, int64 [n]."""
    images = torch.from_numpy(np.stack([np.asarray(image.convert("RGB")) for image in split["img"]]))
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    return (images.permute(0, 3, 1, 2) / 255 - mean) / std, torch.tensor(split["label"])


def varied(images: Tensor) -> Tensor:
    """Each flipped by half a chance, and all of a batch moved by up to four pixels."""
    flips = torch.rand(len(images)) < 0.5
    images = torch.where(flips.view(-1, 1, 1, 1), images.flip(3), images)
    down, right = torch.randint(0, 9, (2,)).tolist()
    return nn.functional.pad(images, (4, 4, 4, 4))[:, :, down : down + 32, right : right + 32]


def main() -> None:
    """Train, test, save."""
    torch.manual_seed(0)
    data = datasets.load_dataset("uoft-cs/cifar10")
    (images, labels), (test, answers) = read(data["train"]), read(data["test"])
    model = resnet8()
    optimizer = torch.optim.SGD(model.parameters(), LEARNING_RATE, 0.9, weight_decay=WEIGHT_DECAY, nesterov=True)
    steps = EPOCHS * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    for _ in range(EPOCHS):
        model.train()
        order = torch.randperm(len(images))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            rows = order[start : start + BATCH]
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(varied(images[rows])), labels[rows]).backward()
            optimizer.step()
            schedule.step()
    model.eval()
    with torch.inference_mode():
        right = sum(
            int((model(test[i : i + 500]).argmax(1) == answers[i : i + 500]).sum()) for i in range(0, len(test), 500)
        )
    print(f"accuracy on the {len(test)} test images: {right / len(test):.4f}")
    save_file(model.state_dict(), Path(__file__).with_name("resnet8-cifar10.safetensors"))


if __name__ == "__main__":
    main()
