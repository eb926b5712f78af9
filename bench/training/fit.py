"""Trains a model on a trial's train part, within its budget, and times each stage of that."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn

from bench import plugins
from bench.contracts import Context
from bench.data.seeding import stream
from bench.errors import TrialError
from bench.modeling.inference.batched import by_length
from bench.probes.clock import Stages
from bench.probes.ledger import Ledger
from bench.suite.parameters import Budget
from bench.training.augmentation import Varying
from bench.training.feeding import Feed, workers
from bench.training.loop import train
from bench.training.loss import Goal
from bench.training.normalising import BatchNorm, some, without_single
from bench.training.sampler import endless
from bench.training.state import Fit


def fit(context: Context, ledger: Ledger, model: nn.Module) -> Fit:
    """Train what is trainable in `model`. Raises TrialError and Diverged."""
    budget = Budget.model_validate(context.trial.budget)
    if budget.until and not len(context.parts["validation"].indices):
        raise TrialError("`until: converged` is judged on held-out labels, and there are none; take more labels")
    goal, held_out = (context.objective.goal(context, context.parts[name]) for name in ("train", "validation"))
    batch_norm = _batch_norm(context, ledger, model)

    def batches() -> Iterator[np.ndarray]:
        found = endless(goal.lengths, context.training.batch_size, stream(context.trial.seed, "order"))
        single = batch_norm.learning and min(len(goal.lengths), context.training.batch_size) > 1
        return iter(without_single(found) if single else found)

    feed = _feed(context, batches) if context.task.MODALITY == "image" else None
    torch.manual_seed(stream(context.trial.seed, "dropout"))
    with ledger.stage("train"):
        found = train(
            model,
            goal if feed is None else _fed(context, feed),
            feed or batches(),
            budget=budget,
            training=context.training,
            learning_rate=context.trial.tuned["learning_rate"],
            micro_batch=context.micro_batch,
            device=context.device,
            validate=(lambda: _validation_loss(context, ledger, model, held_out)) if budget.until else None,
            checkpoint=context.checkpoint,
            tick=context.progress("train"),
            guard=ledger.guard,
            batch_norm=batch_norm,
        )
        with context.autocast():
            estimated = batch_norm.re_estimate(
                model,
                lambda rows: goal.loss(model, rows),
                some(len(goal.lengths), stream(context.trial.seed, "statistics")),
                context.evaluation_batch,
            )
    found.facts = batch_norm.facts(estimated)
    _pure(ledger.stages, found)
    if feed is not None:
        feed.close()
        found.facts["feeding"] = feed.facts(ledger.stages.seconds["train"])
    return found


def _feed(context: Context, batches: Callable[[], Iterator[np.ndarray]]) -> Feed:
    """The train part's images, varied as the suite says."""
    part, seed = context.parts["train"], stream(context.trial.seed, "augmentation")
    return Feed(
        context.features.encoded(part.split), part.indices, batches,
        Varying(context.training.augmentation, seed), workers(context.device),
    )  # fmt: skip


def _fed(context: Context, feed: Feed) -> Goal:
    """What training minimises, on the images of a feed."""
    part = context.parts["train"]
    features = context.features.with_encoded(part.split, feed)
    return context.objective.goal(context.replace(features=features), part)


def _batch_norm(context: Context, ledger: Ledger, model: nn.Module) -> BatchNorm:
    """The trial's policy on the model; random weights have no statistics to keep."""
    regime = plugins.load("regimes", context.trial.regime["kind"])
    random = not regime.PRETRAINED or (context.facts.random and context.start is None)
    new = [model] if random else context.objective.new(model)
    found = BatchNorm.of(model, context.training.batch_norm, new)
    if found.learning and context.micro_batch < context.training.batch_size:
        ledger.note([f"batch normalisation saw {context.micro_batch} examples at a time, for the batch did not fit"])
    return found


def _pure(stages: Stages, found: Fit) -> None:
    """Leave the stage `train` what its steps took; validation and checkpoints are stages of their own, and the rest is
    overhead."""
    within = [stage for stage in ("validation", "checkpoint") if stage in stages.seconds]
    seconds, joules = stages.seconds, stages.joules
    seconds["train"] -= sum(seconds[stage] for stage in within)
    if (pure := found.times.total()) is not None:
        pure = min(pure, seconds["train"])  # a warm step that was slow would stand for the cold ones too
        seconds["overhead"], seconds["train"] = seconds["train"] - pure, pure
    if "train" in joules and all(stage in joules for stage in within):
        joules["train"] -= sum(joules[stage] for stage in within)
    else:
        joules.pop("train", None)


def _validation_loss(context: Context, ledger: Ledger, model: nn.Module, goal: Goal) -> float:
    with ledger.stage("validation"), torch.inference_mode(), context.autocast():
        model.eval()
        losses = [goal.loss(model, batch).float() for batch in by_length(goal.lengths, context.evaluation_batch)]
        return float(torch.stack(losses).sum()) / int(goal.weights.sum())
