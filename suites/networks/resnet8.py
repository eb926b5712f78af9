"""A network of one's own, as a suite names it: `{python: networks/resnet8.py:resnet8, weights: …}`.

He et al. 2016 (arXiv 1512.03385), section 4.2, with one block a stage: eight layers for images of 32×32 pixels, 78,000
weights. It is plain PyTorch and knows nothing of this project; `train_resnet8.py` made the weights beside it.
"""

import torch
from torch import Tensor, nn


class Block(nn.Module):
    """Two 3×3 convolutions, and a shortcut that is a 1×1 convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride) if inputs != outputs else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """[n, inputs, h, w] → [n, outputs, h / stride, w / stride]."""
        found = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(images)))))
        return torch.relu(found + self.shortcut(images))


class ResNet8(nn.Module):
    """Three stages of 16, 32 and 64 channels, a mean over positions, one linear layer."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.stages = nn.Sequential(Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2))
        self.head = nn.Linear(64, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images [n, 3, 32, 32] → logits [n, classes]."""
        logits: Tensor = self.head(self.stages(self.stem(images)).mean(dim=(2, 3)))
        return logits


def resnet8(classes: int = 10) -> ResNet8:
    """What the suite calls."""
    return ResNet8(classes)
