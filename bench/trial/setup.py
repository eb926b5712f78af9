"""A trial's context: its model's files, its task's data, the parts it learns from and is tested on."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from bench import plugins
from bench.contracts import Context, Features, ModelSource
from bench.errors import ModelError
from bench.modeling.models.facts import Facts
from bench.probes.ledger import Ledger
from bench.store import paths
from bench.suite.parameters import Training
from bench.suite.trial import Trial
from bench.training.checkpoint import Checkpoint
from bench.training.loop import accelerator_for
from bench.trial import task_data
from bench.trial.attempt import Attempt, batches
from bench.trial.features import TrialFeatures
from bench.trial.parts import parts_of


def context_of(trial: Trial, attempt: Attempt, ledger: Ledger) -> Context:
    """Fetch the model, open the data, draw the parts. Raises ModelError, DataError. What is remarkable of the data goes
    into the ledger's notes."""
    source = plugins.load("model_sources", trial.model["source"])
    with ledger.stage("load"):
        attempt.tick("load", 0, None)
        origin = source.Parameters.model_validate(trial.model["parameters"] | trial.locations["model"])
        folder = source.fetch(origin, trial.model["fingerprint"])
        also = trial.locations.get("also_test", {})
        data = task_data.load(trial.task, trial.locations["data"], trial.limits, also=also)
    task, parameters = task_data.task_of(trial.task)
    objective = plugins.load("objectives", task.OBJECTIVE)
    labels = parameters.words()
    classes = len(labels) if objective.TARGETS == "classes" else 0
    training = Training.model_validate(trial.training or {})
    micro_batch, evaluation_batch = batches(training, attempt.halved)
    context = Context(
        trial=trial, facts=Facts.from_files(attempt.order["files"]), folder=folder, device=attempt.device, task=task,
        objective=objective, parameters=parameters, labels=labels,
        majority=int(np.bincount(data.labels["train"]).argmax()), data=data, parts=parts_of(trial, data, classes),
        environment=attempt.environment["id"], micro_batch=micro_batch, evaluation_batch=evaluation_batch,
        features=_NOT_YET, autocast=lambda: accelerator_for(training.precision, attempt.device).autocast(),
        tick=attempt.tick, checkpoint=_checkpoint(trial, attempt, micro_batch, ledger),
        intact=partial(_intact, source, origin, trial),
    )  # fmt: skip
    for name in ("train", "test") if classes and trial.size != 0 else ("test",) if classes else ():
        if missing := classes - len(np.unique(context.parts[name].labels)):
            ledger.note([f"{missing} of {classes} classes have no {name} example"])
    if data.dropped:
        tested = "the test split or an also_test set" if "also_test" in trial.task else "the test split"
        ledger.note([f"{data.dropped} examples that also stand in {tested} were left out of training"])
    return context.replace(features=TrialFeatures(context, ledger))


_NOT_YET: Features = None  # type: ignore[assignment]
"""Features hold a context and a context holds features: the first one that is made has none."""


def _checkpoint(trial: Trial, attempt: Attempt, micro_batch: int, ledger: Ledger) -> Checkpoint | None:
    every = attempt.order.get("checkpoint", 300.0)
    if every is None:
        return None
    key = {"trial": trial.id, "environment": attempt.environment["id"], "micro_batch": micro_batch}
    own = attempt.order["trial"]["id"]
    place = paths.checkpoints(attempt.results, own, *([] if trial.id == own else [trial.id]))
    return Checkpoint(place, key, every, ledger.stages, ledger.memory, ledger.notes, attempt.home)


def _intact(source: ModelSource[Any], parameters: Any, trial: Trial) -> None:
    """Raise ModelError where a model's files are no longer those that were locked."""
    if source.fingerprint(parameters) not in (None, trial.model["fingerprint"]):
        raise ModelError(
            f"model {trial.names.model}: its files have changed since they were locked; put them back and run again, "
            "or accept them with `bench lock SUITE --update`"
        )
