"""Batch normalisation in training: which layers take the statistics of each batch, and what they hold at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from bench.suite.parameters import BatchNormPolicy
from bench.suite.trial import Json

MOMENTUM = 0.1
"""torch's own: the share of a batch's statistics that is taken over."""
KEPT = 0.5
"""A momentum above it is meant as TensorFlow means it, as the share that is kept: transformers' MobileNets say 0.997,
by which torch would forget all but the last batch."""
MOST = 2048
"""Training examples of which statistics are taken anew."""


@dataclass(frozen=True)
class BatchNorm:
    """layers: how many there are; learning: those that take the statistics of each batch; the others keep theirs."""

    policy: BatchNormPolicy
    layers: int
    learning: tuple[nn.modules.batchnorm._BatchNorm, ...]

    @classmethod
    def of(cls, model: nn.Module, policy: BatchNormPolicy = "batch", new: Iterable[nn.Module] = ()) -> BatchNorm:
        """The policy on a model whose trainable weights are chosen. new: its parts without pretrained weights, whose
        statistics mean nothing yet: they learn by any policy. `auto`: pretrained statistics stay."""
        fresh = {id(module) for part in new for module in part.modules()}
        layers = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
        learning = [
            module
            for module in layers
            if any(p.requires_grad for p in module.parameters()) and (policy == "batch" or id(module) in fresh)
        ]
        for module in learning:
            if module.momentum is not None and module.momentum > KEPT:
                module.momentum = MOMENTUM
        return cls(policy, len(layers), tuple(learning))

    def train(self, model: nn.Module) -> None:
        """Training mode for the model, but not for layers that keep their statistics."""
        model.train()
        learning = {id(module) for module in self.learning}
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and id(module) not in learning:
                module.eval()

    def re_estimate(
        self, model: nn.Module, forward: Callable[[np.ndarray], object], rows: np.ndarray, size: int
    ) -> int:
        """Take the statistics anew, by the weights as they are now: those that ran along in training lag behind. The
        mean over batches of about `size` of `rows`; returns of how many examples that is, 0 where no layer learns."""
        if not self.learning or len(rows) < 2:
            return 0
        rows = rows[:MOST]
        momenta = [module.momentum for module in self.learning]
        model.eval()
        for module in self.learning:
            module.reset_running_stats()
            module.momentum = None  # the mean of all batches
            module.train()
        with torch.no_grad():
            for batch in np.array_split(rows, max(1, len(rows) // max(size, 2))):  # none of one example
                forward(batch)
        for module, momentum in zip(self.learning, momenta, strict=True):
            module.momentum = momentum
        model.eval()
        return len(rows)

    def facts(self, estimated: int) -> Json:
        """For the record; nothing of a model without batch normalisation."""
        if not self.layers:
            return {}
        known: Json = {"policy": self.policy, "layers": self.layers, "by_batch": len(self.learning)}
        if self.learning:
            known |= {"momentum": sorted({m.momentum for m in self.learning if m.momentum is not None})}
            known |= {"re_estimated_on": estimated}
        return {"batch_norm": known}


def without_single(batches: Iterable[np.ndarray]) -> Iterable[np.ndarray]:
    """Batches of more than one example: one has no variance."""
    return (batch for batch in batches if len(batch) > 1)


def some(count: int, seed: int) -> np.ndarray:
    """Positions of the examples whose statistics are taken, in random order."""
    return np.random.Generator(np.random.PCG64(seed)).permutation(count)[:MOST]
