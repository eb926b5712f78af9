"""Where a training run stands between two steps: all that its next step depends on, and what it has measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.probes.steps import StepTimes
from bench.suite.trial import Json
from bench.training.budget import Spent
from bench.training.sampler import skip


@dataclass
class Fit:
    """What a run did. losses: one float per optimiser step; validations: (step, loss) until convergence; flops: None
    where they could not be counted; facts: for the record."""

    times: StepTimes
    losses: list[float] = field(default_factory=list)
    validations: list[tuple[int, float]] = field(default_factory=list)
    steps: int = 0
    examples: int = 0
    tokens: int = 0
    flops: float | None = None
    facts: Json = field(default_factory=dict)


class Best:
    """Keeps a copy of the trainable weights at the lowest validation loss seen, for early stopping."""

    def __init__(self, model: nn.Module, patience: int) -> None:
        self._model, self._patience = model, patience
        self._loss, self._since = float("inf"), 0
        self._weights: dict[str, Tensor] = {}

    def seen(self, loss: float) -> bool:
        """Take note of a validation; True when `patience` of them in a row brought nothing better."""
        self._since += 1
        if loss < self._loss:
            self._loss, self._since = loss, 0
            self._weights = {name: value.clone() for name, value in changing(self._model).items()}
        return self._since >= self._patience

    def restore(self) -> None:
        """Put the best weights back; nothing where no validation was seen."""
        if self._weights:
            self._model.load_state_dict(self._weights, strict=False)

    def state(self) -> dict[str, Any]:
        """What `go_on` takes."""
        return {"loss": self._loss, "since": self._since, "weights": self._weights}

    def go_on(self, state: dict[str, Any]) -> None:
        """Go on from what an earlier attempt had seen."""
        self._loss, self._since, self._weights = state["loss"], state["since"], state["weights"]


@dataclass
class Run:
    """A run at the border between two steps. losses: one per step, each still on the device."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    batches: Iterator[np.ndarray]
    spent: Spent
    best: Best
    fit: Fit
    device: torch.device
    losses: list[Tensor] = field(default_factory=list)

    def state(self) -> dict[str, Any]:
        """Tensors and plain values alone; on a device call it after synchronising."""
        return {
            "weights": changing(self.model),
            "optimizer": self.optimizer.state_dict(),
            "spent": self.spent.state(),
            "best": self.best.state(),
            "random": random_states(self.device),
            "losses": torch.stack(self.losses),
            "times": self.fit.times.state(),
            "validations": self.fit.validations,
            "seen": [self.fit.examples, self.fit.tokens],
        }

    def go_on(self, state: dict[str, Any]) -> None:
        """Stand where `state()` was taken: from here on every bit is as it would have been (on a device: as near as two
        runs are to each other). The batches that were taken are drawn again."""
        self.model.load_state_dict(state["weights"], strict=False)
        self.optimizer.load_state_dict(state["optimizer"])
        self.best.go_on(state["best"])
        self.losses += state["losses"].to(self.device).unbind()
        self.fit.times.carry(state["times"])
        self.fit.validations += state["validations"]
        self.fit.examples, self.fit.tokens = state["seen"]
        skip(self.batches, state["spent"]["step"])
        set_random_states(state["random"], self.device)
        self.spent.go_on(state["spent"])  # last: its clock runs


def random_states(device: torch.device) -> list[Tensor]:
    """The generators dropout draws from, as they stand."""
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state(device)] if device.type == "cuda" else [])]


def set_random_states(states: list[Tensor], device: torch.device) -> None:
    """Have the generators go on from `random_states`."""
    torch.set_rng_state(states[0])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states[1], device)


def changing(model: nn.Module) -> dict[str, Tensor]:
    """What training may change: the state without frozen weights, detached and not copied."""
    frozen = {name for name, value in model.named_parameters() if not value.requires_grad}
    return {name: value.detach() for name, value in model.state_dict().items() if name not in frozen}
