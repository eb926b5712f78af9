"""The training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from bench.errors import Diverged, TrialError
from bench.probes import flops as flop_probe
from bench.probes.guard import Guard, is_device_full, is_host_full, said
from bench.probes.steps import StepTimes
from bench.suite.parameters import Budget, Training
from bench.training.budget import Spent
from bench.training.checkpoint import Checkpoint
from bench.training.loss import Goal
from bench.training.normalising import BatchNorm
from bench.training.schedule import scale
from bench.training.state import Best, Fit, Run, random_states, set_random_states

CHECK = 100
"""Steps between two looks at whether the loss is still finite: the one place where the host waits for the device."""

MOMENTUM = 0.9
"""Of SGD, as in the papers that pretrained convolutional networks are fine-tuned by."""


def accelerator_for(precision: str, device: torch.device) -> Accelerator:
    """bf16: autocast over fp32 master weights; fp32: none."""
    return Accelerator(mixed_precision="bf16" if precision == "bf16" else "no", cpu=device.type == "cpu")


def optimizer_for(
    model: nn.Module, learning_rate: float, weight_decay: float, kind: str = "adamw"
) -> torch.optim.Optimizer:
    """Fused over what is trainable: bias-corrected AdamW, or SGD with momentum; biases and normalisation weights are
    not decayed."""
    trainable = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trainable if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trainable if p.ndim < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if kind == "sgd":
        return torch.optim.SGD(groups, lr=learning_rate, momentum=MOMENTUM, fused=True)
    return torch.optim.AdamW(groups, lr=learning_rate, fused=True)


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

    def counted(self, batch: np.ndarray, guard: Guard) -> tuple[Tensor, int | None]:
        """`backward`, and its FLOPs. Where that fails the step begins again without the count: what fails then is the
        step's own. So is memory that runs out, for which counting needs none."""
        generators, buffers = random_states(self.device), [buffer.clone() for buffer in self.model.buffers()]
        try:
            with flop_probe.count() as found:
                loss = self.backward(batch)
            return loss, found.flops
        except Exception as error:
            if is_device_full(error) or is_host_full(error):
                raise
            why = said(error)  # the exception itself would keep all that its frames hold
        self.model.zero_grad()
        for buffer, kept in zip(self.model.buffers(), buffers, strict=True):
            buffer.copy_(kept)
        set_random_states(generators, self.device)
        loss = self.backward(batch)
        guard.failed("the number of FLOPs", why)
        return loss, None

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
    guard: Guard | None = None,
    batch_norm: BatchNorm | None = None,
) -> Fit:
    """Train `model` in place until the budget is spent.

    batches: endless arrays of positions of the goal's examples.
    validate: the validation loss, asked for once an epoch when the budget is `until: converged`; the weights of the
    best one are kept. checkpoint: where the run is saved now and then, and goes on from. guard: holds what cannot be
    measured. batch_norm: which of it learns statistics; by default what has trainable weights. Nothing inside a step
    waits for the device. Raises Diverged, and TrialError where the budget is over before a step has changed anything,
    or is in FLOPs, which cannot be counted.
    """
    guard, batch_norm = guard or Guard(), batch_norm or BatchNorm.of(model)
    step = Step(model, goal, training, micro_batch, device)
    optimizer = optimizer_for(model, learning_rate, training.weight_decay, training.optimizer)
    spent = Spent(budget, len(goal.weights), training.batch_size, training.warmup)
    fit, best = Fit(times=StepTimes(device.type == "cuda", guard)), Best(model, budget.patience)
    run = Run(model, optimizer, batches, spent, best, fit, device)
    if checkpoint is not None:
        checkpoint.restore(run)
    batch_norm.train(model)
    uncounted, moved = spent.counted is None, spent.step > 0
    while not spent.over():
        fit.times.begin()
        batch = next(batches)
        padded = int(goal.lengths[batch].max()) * len(batch)
        loss = _counted_step(step, batch, padded, spent, budget, guard) if uncounted else step.backward(batch)
        run.losses.append(loss)
        uncounted = False
        moved |= (factor := scale(spent.progress(), spent.warmup, training.schedule)) > 0
        step.update(optimizer, learning_rate * factor)
        fit.times.end()
        spent.advance(padded)
        fit.examples += len(batch)
        fit.tokens += int(goal.lengths[batch].sum())
        tick(spent.step, spent.total_steps)
        if spent.step % CHECK == 0 and not torch.isfinite(run.losses[-1]):
            break
        if validate is not None and spent.at_validation() and _converged(run, validate(), batch_norm):
            break
        if checkpoint is not None and checkpoint.due():
            with spent.paused():
                checkpoint.save(run)
    if not moved:
        _refuse_no_change(budget)
    best.restore()
    return _finished(run)


def _counted_step(step: Step, batch: np.ndarray, padded: int, spent: Spent, budget: Budget, guard: Guard) -> Tensor:
    """The loss of the step whose FLOPs are counted, on which the budget reckons. padded: the batch's tokens, padding
    too. Raises TrialError where a budget in FLOPs cannot be counted."""
    loss, flops = step.counted(batch, guard)
    spent.counted = None if flops is None else (flops, padded)
    if flops is None and budget.flops is not None:
        raise TrialError("budget: the number of FLOPs could not be measured; give it in another unit")
    return loss


def _converged(run: Run, loss: float, batch_norm: BatchNorm) -> bool:
    """Take note of a validation loss, after which the model trains on; whether training ends with it."""
    run.fit.validations.append((run.spent.step, loss))
    batch_norm.train(run.model)
    return not np.isfinite(loss) or run.best.seen(loss)


def _refuse_no_change(budget: Budget) -> None:
    """Raise TrialError where a budget of time or work was over before a step had changed the model."""
    if budget.unit in ("seconds", "flops"):
        amount = f"{getattr(budget, budget.unit):g}"
        raise TrialError(f"budget: {amount} {budget.unit} are over before a step has changed the model; give it more")


def _finished(run: Run) -> Fit:
    """What the run measured. Raises Diverged where a loss is not a finite number."""
    fit, spent = run.fit, run.spent
    fit.steps, fit.flops, fit.losses = spent.step, spent.flops, torch.stack(run.losses).tolist()
    if not np.isfinite(fit.losses).all():
        first = int(np.argmin(np.isfinite(fit.losses)))
        raise Diverged(f"the training loss was {fit.losses[first]} at step {first + 1}")
    if fit.validations and not np.isfinite(fit.validations[-1][1]):
        raise Diverged(f"the validation loss was {fit.validations[-1][1]} at step {spent.step}")
    return fit
