"""What training minimises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.modeling.encoding.arrays import send

Collate = Callable[[np.ndarray], dict[str, Tensor]]


@dataclass
class Goal:
    """Over n examples: a batch's loss is the sum of `loss` over it, divided by the sum of its `weights`.

    loss: (model, positions below n) → a scalar still on the device. weights: how many targets an example has, int64
    [n]. lengths: what a batch is padded by, int64 [n]; 1 where nothing is padded.
    """

    loss: Callable[[nn.Module, np.ndarray], Tensor]
    weights: np.ndarray
    lengths: np.ndarray


def cross_entropy(collate: Collate, labels: np.ndarray, lengths: np.ndarray, device: torch.device) -> Goal:
    """Mean over examples of their cross-entropy, in nats.

    collate: positions → model inputs. labels: int64 [n], or [n, k] where the model answers k times an example, whose
    losses add up; IGNORE_INDEX where it need not.
    """

    def loss(model: nn.Module, rows: np.ndarray) -> Tensor:
        logits = model(collate(rows))
        targets = send(torch.from_numpy(labels[rows]), device)
        return functional.cross_entropy(logits.float().flatten(0, -2), targets.flatten(), reduction="sum")

    return Goal(loss, np.ones(len(labels), dtype=np.int64), lengths)
