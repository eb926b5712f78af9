"""How much of its budget a run has spent, without asking the device."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.suite.parameters import Budget


class Spent:
    """Follows a run through its budget. `progress()` in [0, 1] drives the learning rate; `over()` ends the run.

    counted: the FLOPs of a step and its units, by which the others' follow; None where they are not known.
    """

    def __init__(self, budget: Budget, examples: int, batch_size: int, warmup: float) -> None:
        self.budget = budget
        self.steps_per_epoch = max(1, math.ceil(examples / batch_size))
        self.step = 0
        self.units = 0
        self.counted: tuple[int, int] | None = None
        self.warmup = warmup
        self._begun = time.perf_counter()
        self.total_steps = self._planned_steps()
        if self.total_steps is not None:
            self.warmup = math.ceil(warmup * self.total_steps) / self.total_steps  # whole steps, as transformers counts

    def _planned_steps(self) -> int | None:
        if self.budget.steps is not None:
            return self.budget.steps
        if self.budget.epochs is not None:
            return max(math.ceil(self.budget.epochs * self.steps_per_epoch), self.budget.min_steps)
        return None

    def advance(self, units: int) -> None:
        """Count one optimiser step, of so many examples times padded length."""
        self.step += 1
        self.units += units

    @property
    def flops(self) -> float | None:
        """FLOPs of all steps so far; None where they are not known."""
        return None if self.counted is None else self.counted[0] * self.units / self.counted[1]

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What the block takes is not of the budget."""
        seconds = self._seconds()
        try:
            yield
        finally:
            self._begun = time.perf_counter() - seconds

    def state(self) -> dict[str, Any]:
        """What `go_on` takes."""
        return {
            "step": self.step,
            "units": self.units,
            "counted": self.counted,
            "seconds": self._seconds(),
        }

    def go_on(self, state: dict[str, Any]) -> None:
        """Go on from where an earlier attempt was."""
        self.step, self.units, self.counted = state["step"], state["units"], state["counted"]
        self._begun = time.perf_counter() - state["seconds"]

    def _seconds(self) -> float:
        return time.perf_counter() - self._begun

    def progress(self) -> float:
        """The fraction of the budget spent. Until convergence there is no end to measure by: after warm-up (a
        fraction of `min_steps`) it stands still, and the learning rate with it."""
        if self.total_steps is not None:
            return self.step / self.total_steps
        if self.budget.seconds is not None:
            return min(1.0, self._seconds() / self.budget.seconds)
        if self.budget.flops is not None:
            return min(1.0, (self.flops or 0.0) / self.budget.flops)
        return min(self.step / self.budget.min_steps, self.warmup)

    def over(self) -> bool:
        """Whether the next step would be beyond the budget (convergence itself is judged on validation data)."""
        if self.budget.until == "converged":
            return self.step >= self.budget.max_epochs * self.steps_per_epoch
        return self.progress() >= 1

    def at_validation(self) -> bool:
        """Until convergence: whether an epoch has just ended and warm-up is over."""
        return (
            self.budget.until == "converged"
            and self.step % self.steps_per_epoch == 0
            and self.step >= self.warmup * self.budget.min_steps
        )
