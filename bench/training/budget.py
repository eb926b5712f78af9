"""How much of its budget a run has spent, without asking the device."""

from __future__ import annotations

import math
import time

from bench.suite.parameters import Budget


class Spent:
    """Follows a run through its budget. `progress()` in [0, 1] drives the learning rate; `over()` ends the run."""

    def __init__(self, budget: Budget, examples: int, batch_size: int, warmup: float) -> None:
        self.budget = budget
        self.steps_per_epoch = max(1, math.ceil(examples / batch_size))
        self.step = 0
        self.flops = 0.0
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

    def advance(self, flops: float) -> None:
        """Count one optimiser step."""
        self.step += 1
        self.flops += flops

    def progress(self) -> float:
        """The fraction of the budget spent. Until convergence there is no end to measure by: after warm-up (a
        fraction of `min_steps`) it stands still, and the learning rate with it."""
        if self.total_steps is not None:
            return self.step / self.total_steps
        if self.budget.seconds is not None:
            return (time.perf_counter() - self._begun) / self.budget.seconds
        if self.budget.flops is not None:
            return self.flops / self.budget.flops
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
