"""The training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from bench.errors import Diverged
from bench.probes import flops as flop_probe
from bench.probes.steps import StepTimes
from bench.suite.parameters import Budget, Training
from bench.training.budget import Spent
from bench.training.checkpoint import Checkpoint
from bench.training.goal import Goal
from bench.training.schedule import scale
from bench.training.standing import Best, Fit, Run

CHECK = 100
"""Steps between two looks at whether the loss is still finite: the one place where the host waits for the device."""


def accelerator_for(precision: str, device: torch.device) -> Accelerator:
    """bf16: autocast over fp32 master weights; fp32: none."""
    return Accelerator(mixed_precision="bf16" if precision == "bf16" else "no", cpu=device.type == "cpu")


def optimizer_for(model: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """Fused, bias-corrected AdamW over what is trainable; biases and normalisation weights are not decayed."""
    trainable = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trainable if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trainable if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=learning_rate, fused=True)


@dataclass
class Step:
    """One optimiser step on one batch, taken in micro-batches whose losses add up to the batch's mean loss."""

    model: nn.Module
    goal: Goal
    training: Training
    micro_batch: int
    device: torch.device

    def __post_init__(self) -> None:
        self.accelerator = accelerator_for(self.training.precision, self.device)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]

    def backward(self, batch: np.ndarray) -> Tensor:
        """Add the batch's gradients up and return its loss, still on the device."""
        total = torch.zeros((), device=self.device)
        weight = max(1, int(self.goal.weights[batch].sum()))
        for start in range(0, len(batch), self.micro_batch):
            with self.accelerator.autocast():
                loss = self.goal.loss(self.model, batch[start : start + self.micro_batch]) / weight
            self.accelerator.backward(loss)
            total += loss.detach()
        return total

    def update(self, optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
        """Clip the gradients, move the weights, and forget the gradients."""
        if self.training.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.training.clip)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate
        optimizer.step()
        optimizer.zero_grad()


def train(
    model: nn.Module,
    goal: Goal,
    batches: Iterator[np.ndarray],
    *,
    budget: Budget,
    training: Training,
    learning_rate: float,
    micro_batch: int,
    device: torch.device,
    validate: Callable[[], float] | None = None,
    checkpoint: Checkpoint | None = None,
    tick: Callable[[int, int | None], None] = lambda done, total: None,
) -> Fit:
    """Train `model` in place until the budget is spent.

    batches: endless arrays of positions of the goal's examples.
    validate: the validation loss, asked for once an epoch when the budget is `until: converged`; the weights of the
    best one are kept. checkpoint: where the run is saved now and then, and goes on from. Nothing inside a step waits
    for the device. Raises Diverged.
    """
    step = Step(model, goal, training, micro_batch, device)
    optimizer = optimizer_for(model, learning_rate, training.weight_decay)
    spent = Spent(budget, len(goal.weights), training.batch_size, training.warmup)
    fit, best = Fit(times=StepTimes(device.type == "cuda")), Best(model, budget.patience)
    run = Run(model, optimizer, batches, spent, best, fit, device)
    if checkpoint is not None:
        checkpoint.restore(run)
    model.train()
    while not spent.over():
        fit.times.begin()
        batch = next(batches)
        padded = int(goal.lengths[batch].max()) * len(batch)
        if spent.step == 0:
            with flop_probe.count() as counted:
                run.losses.append(step.backward(batch))
            spent.flops_per_unit = counted.flops / padded
        else:
            run.losses.append(step.backward(batch))
        step.update(optimizer, learning_rate * scale(spent.progress(), spent.warmup, training.schedule))
        fit.times.end()
        spent.advance(padded)
        fit.examples += len(batch)
        fit.tokens += int(goal.lengths[batch].sum())
        tick(spent.step, spent.total_steps)
        if spent.step % CHECK == 0 and not torch.isfinite(run.losses[-1]):
            break
        if validate is not None and spent.at_validation():
            loss = validate()
            fit.validations.append((spent.step, loss))
            model.train()
            if not np.isfinite(loss) or best.seen(loss):
                break
        if checkpoint is not None and checkpoint.due():
            with spent.paused():
                checkpoint.save(run)
    best.restore()
    fit.steps, fit.flops, fit.losses = spent.step, spent.flops, torch.stack(run.losses).tolist()
    if not np.isfinite(fit.losses).all():
        first = int(np.argmin(np.isfinite(fit.losses)))
        raise Diverged(f"the training loss was {fit.losses[first]} at step {first + 1}")
    if fit.validations and not np.isfinite(fit.validations[-1][1]):
        raise Diverged(f"the validation loss was {fit.validations[-1][1]} at step {spent.step}")
    return fit
