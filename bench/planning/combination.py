"""One model, task and regime of a suite: what the suite, the lock and the plugins say of them together."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from bench import contracts, plugins
from bench.contracts import Question
from bench.modeling.models.facts import Facts
from bench.planning import tuning
from bench.planning.lock import also_spec, task_spec
from bench.suite.schema import Regime, Suite, Task
from bench.suite.trial import Json, Names

SMOKE = {"size": 32, "examples": 16, "steps": 2}
"""What a smoke run cuts everything to: labels, examples of the test split, optimiser steps."""


@dataclass(frozen=True)
class Combination:
    """A model, a task and a regime. lock: the suite's lock, without the entries that are out of date."""

    suite: Suite
    lock: Json
    names: Names
    smoke: bool

    @property
    def locked(self) -> bool:
        """Whether its model and its task are; all that follows needs that, but the suite's task and regime."""
        return self.names.model in self.lock["models"] and self.names.task in self.lock["tasks"]

    @property
    def task(self) -> Task:
        """The task as the suite has it."""
        return self.suite.tasks[self.names.task]

    @property
    def regime(self) -> Regime:
        """The regime's kind and parameters, as the suite has them."""
        return self.suite.regimes[self.names.regime]

    @property
    def task_kind(self) -> contracts.TaskKind[Any]:
        """The task kind's plugin."""
        return plugins.load("tasks", self.task.kind)

    @property
    def objective(self) -> contracts.Objective:
        """The plugin of what the task's models are trained to answer."""
        return plugins.load("objectives", self.task_kind.OBJECTIVE)

    @property
    def regime_kind(self) -> contracts.Regime[Any]:
        """The regime's plugin."""
        return plugins.load("regimes", self.regime.kind)

    @property
    def pooled(self) -> bool:
        """Whether the regime needs one feature vector an example."""
        return self.regime_kind.POOLED

    @property
    def model_lock(self) -> Json:
        """The model's entry in the lock."""
        found: Json = self.lock["models"][self.names.model]
        return found

    @property
    def task_lock(self) -> Json:
        """The task's entry in the lock."""
        found: Json = self.lock["tasks"][self.names.task]
        return found

    @functools.cached_property
    def facts(self) -> Facts:
        """What the model's config files say."""
        return Facts.from_files(self.model_lock["files"])

    @property
    def search(self) -> tuning.Search | None:
        """What tuning searches; None where nothing is tuned."""
        return tuning.searched(self.regime, self.facts if self.locked else None, self.suite.training.optimizer)

    @property
    def count(self) -> int:
        """With how many values each seed's tuning begins; 1 where nothing is tuned by trials."""
        if self.search is None or self.tunes_within:
            return 1
        return len(tuning.first_values(self.search, 1 if self.smoke else self.suite.tuning_trials))

    @property
    def tunes_within(self) -> bool:
        """Whether each trial tunes itself."""
        search = self.search
        return search is not None and search.within and not search.fixed and self.suite.tuning_trials > 1

    @functools.cached_property
    def spec(self) -> Json:
        """The `task` of its trials, as a zero-shot regime sees it."""
        also_test = also_spec(self.task, self.task_lock.get("also_test", {}))
        return labelled_spec(self.suite, self.task, self.task_lock) | also_test

    @functools.cached_property
    def resolved(self) -> Json:
        """What the regime adds to its trials: the zero-shot way, for one. Raises NotApplicable where it cannot be."""
        return self.regime_kind.resolve(self.facts, question(self.task, self.spec), self.regime.parameters)


def labelled_spec(suite: Suite, task: Task, task_lock: Json) -> Json:
    """The `task` of a trial, with the labels that were found in the data."""
    spec = task_spec(suite, task, task_lock["fingerprint"])
    if "labels" in spec["parameters"]:
        spec["parameters"]["labels"] = task_lock["labels"]
    return spec


def question(task: Task, spec: Json) -> Question:
    """What a task asks of a model. spec: the trial's task, its labels resolved."""
    labels = spec["parameters"].get("labels", [])
    words = list(labels.values()) if isinstance(labels, dict) else labels
    kind = plugins.load("tasks", task.kind)
    return Question(
        modality=kind.MODALITY,
        labels=words,
        label_map=spec["parameters"].get("label_map", {}),
        objective=kind.OBJECTIVE,
        columns=tuple(spec["columns"]),
    )
