"""How long trials will take: steps × what a step took, rows × what a row took, from records made on this machine."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from bench import plugins
from bench.errors import UsageError
from bench.planning.plan import Cell, Plan, settled
from bench.probes.environment import processor
from bench.store.record import Record
from bench.suite.parameters import Budget
from bench.suite.trial import Json, Limits, Names, Trial

EPOCHS = 10
"""Taken for how long training until convergence goes on."""
OUTSIDE = 0.2
"""Seconds a trial takes when its own clock has stopped: its process ends, and its record goes to the disk."""


class Pace(NamedTuple):
    """What one record, or the mean of several, says in seconds: of a step, of a row scored, of a step of continued
    pretraining, and of all the rest. flops: of a step."""

    rest: float
    step: float = 0.0
    row: float = 0.0
    pretraining_step: float = 0.0
    flops: float = 0.0


NOMINAL = Pace(rest=1.0, step=0.1, row=0.005)
"""Where nothing was measured: good for an order, never shown as a time."""


@dataclass(frozen=True)
class Rows:
    """How many examples a task's splits have."""

    train: int
    test: int

    @classmethod
    def of(cls, lock: Json, task: str, limits: Limits) -> Rows:
        """As the lock has them, or as few as a smoke run looks at."""
        counts = lock["tasks"].get(task, {}).get("classes") or {}
        train, test = (sum(counts.get(split) or [1]) for split in ("train", "test"))
        if limits:
            train, test = min(train, 4 * limits["examples"]), min(test, limits["examples"])
        return cls(train, test)


class Estimator:
    """Learns from records, the suite's own and those of its smoke run, and says how long other trials will take.

    What was measured for the same task, model and regime counts first, by this suite before its smoke run; else what
    is nearest to it. Records of another processor count only where this one has none.
    """

    def __init__(self, lock: Json, own: Iterable[Record], smoke: Iterable[Record]) -> None:
        self._lock = lock
        self._paces: dict[tuple[str, ...], dict[bool, list[Pace]]] = defaultdict(lambda: {True: [], False: []})
        self._means: dict[tuple[str, ...], Pace | None] = {}
        self._seconds: dict[tuple[object, ...], float] = {}
        self._counts = {True: 0, False: 0}
        found = [(record, mine) for mine, records in ((True, own), (False, smoke)) for record in records]
        found = [(record, mine) for record, mine in found if record["status"] == "ok"]
        here = processor()
        near = [(r, mine) for r, mine in found if (r.get("environment") or {}).get("processor", here) == here]
        self.elsewhere = bool(found) and not near
        for record, mine in near or found:
            self._add(record, mine=mine)

    @property
    def known(self) -> bool:
        """Whether anything was measured."""
        return any(self._counts.values())

    @property
    def basis(self) -> str:
        """What the estimate rests on."""
        own, smoke = self._counts[True], self._counts[False]
        parts = [f"{own:,} trial{'s' * (own > 1)} of this suite"] * bool(own)
        parts += [f"{smoke:,} smoke trial{'s' * (smoke > 1)}"] * bool(smoke)
        return f"from {' and '.join(parts)}{' on another machine' if self.elsewhere else ''}"

    def learn(self, record: Record) -> None:
        """Take a record into account that this machine has just made."""
        if self.elsewhere and record["status"] == "ok":
            self.elsewhere, self._counts = False, {True: 0, False: 0}
            self._paces.clear()
            self._means.clear()
        self._add(record, mine=True)

    def _add(self, record: Record, *, mine: bool) -> None:
        if record["status"] != "ok":
            return
        try:
            pace = _pace(record)
            names = Names(**record["trial"]["names"])
            keys = _keys(names, record["trial"]["regime"]["kind"])
        except (
            AttributeError,
            KeyError,
            TypeError,
            ValueError,
            UsageError,
        ):  # of another version, or a plugin that is not here
            return
        self._counts[mine] += 1
        for key in keys:
            self._paces[key][mine].append(pace)
            self._means.pop(key, None)
        self._seconds.clear()

    def seconds(self, trial: Trial) -> float:
        """What one trial takes, without what it shares with others."""
        key = (trial.names, trial.size)
        if key not in self._seconds:
            self._seconds[key] = self._one(trial)
        return self._seconds[key]

    def cell(self, cell: Cell) -> float:
        """What all known trials of a cell take."""
        return sum(map(self.seconds, cell.trials))

    def left(self, missing: Iterable[Trial]) -> float:
        """What trials take, one after another, with what each pair of model and task computes once."""
        missing = list(missing)
        once = sum(map(self._once, {t.names: t for t in missing}.values()))
        return once + sum(map(self.seconds, missing))

    def covers(self, missing: Iterable[Trial]) -> bool:
        """Whether something like each of these trials was measured: what trains says nothing of what does not."""
        kinds = {trial.names: trial.regime["kind"] for trial in missing}
        return all(self._nearest(names, kind) is not NOMINAL for names, kind in kinds.items())

    def _one(self, trial: Trial) -> float:
        pace, rows = (
            self._nearest(trial.names, trial.regime["kind"]),
            Rows.of(self._lock, trial.names.task, trial.limits),
        )
        held_out = trial.validation if isinstance(trial.validation, float) else 0.0
        labels = rows.train if trial.size == "all" else min(trial.size, rows.train)
        scored = labels * held_out + rows.test
        if _pooled(trial.regime["kind"]):
            scored = 0.0  # features are computed once: `_once`
        return OUTSIDE + pace.rest + pace.row * scored + _training(trial, pace, round(labels * (1 - held_out)))

    def _once(self, trial: Trial) -> float:
        """Features of a probe, or continued pretraining: computed by the first trial of a model, task and regime."""
        key = _keys(trial.names, trial.regime["kind"])[0]
        if self._paces[key][True]:
            return 0.0
        pace, rows = (
            self._nearest(trial.names, trial.regime["kind"]),
            Rows.of(self._lock, trial.names.task, trial.limits),
        )
        if _pooled(trial.regime["kind"]):
            return pace.row * (rows.train + rows.test)
        return pace.pretraining_step * _pretraining_steps(trial, rows.train)

    def _nearest(self, names: Names, kind: str) -> Pace:
        for key in _keys(names, kind):
            if key not in self._means:
                found = self._paces[key]
                paces = found[True] or found[False]
                self._means[key] = Pace(*map(fmean, zip(*paces, strict=True))) if paces else None
            if (mean := self._means[key]) is not None:
                return mean
        return NOMINAL


def forecast(plan: Plan, latest: Mapping[str, Record], estimator: Estimator, slots: int | None = None) -> str:
    """What a plan leaves to run takes, as a sentence has it, and what that rests on; that nothing is known, where
    nothing was measured. slots: how many trials run at a time, where that is known."""
    missing = [t for t in plan.trials().values() if not settled(t, latest, frozenset())]
    if not missing:
        return "nothing is missing"
    if not estimator.covers(missing):
        whose = "some of them" if estimator.known else "they"
        return f"nothing is known yet of how long {whose} take; `bench run --smoke` finds out in minutes"
    left = estimator.left(missing) / (slots or 1)
    shared = "shared by as many as run at a time, " if slots is None else f"{slots} at a time, " if slots > 1 else ""
    return f"about {span(left)} left, {shared}estimated {estimator.basis}"


def span(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _keys(names: Names, kind: str) -> list[tuple[str, ...]]:
    """By what the pace of a trial is looked up, the nearest first. Regimes that differ in what they do share none."""
    task, model, regime = names.task, names.model, names.regime
    module = plugins.load("regimes", kind)
    family = f"trains {module.TRAINS}, labels {module.LABELS}, pooled {_pooled(kind)}"
    return [(family, task, model, regime), (family, task, model), (family, "*", model), (family, task, "*"), (family,)]


def _pooled(kind: str) -> bool:
    return plugins.load("regimes", kind).POOLED


def _pace(record: Record) -> Pace:
    costs, facts, trial = record["costs"], record.get("facts") or {}, record["trial"]
    seconds = {name: value or 0.0 for name, value in costs["seconds"].items()}
    scored = facts.get("validation_examples", 0)
    took = seconds.get("validation", 0.0)
    if trial.get("purpose") != "tuning":  # of protocol 1
        scored += facts.get("test_examples", 0)
        took += sum(seconds.get(stage, 0.0) for stage in ("test", "also_test"))
    shared = costs.get("shared") or {}
    pretraining, steps = seconds.get("pretraining", 0.0), costs.get("steps") or 0
    before = sum(shared.get(name, {}).get("train", 0.0) for name in ("after", "without"))
    step = (costs.get("step_seconds") or {}).get("median") or 0.0
    rest = (record.get("start_seconds") or 0.0) + seconds["total"] - took - pretraining - before - steps * step
    if _pooled(trial["regime"]["kind"]):
        rest -= took / max(scored, 1) * facts.get("train_examples", 0)  # their features, charged to the solver's time
    pretraining_step = pretraining / max(1, shared.get("pretraining", {}).get("steps", 1))
    flops = (costs.get("flops") or {}).get("per_step") or 0.0
    pace = Pace(max(0.0, rest), step, took / max(scored, 1), pretraining_step, flops)
    if not all(math.isfinite(value) and value >= 0 for value in pace):
        raise ValueError("no plain times")
    return pace


def _pretraining_steps(trial: Trial, rows: int) -> float:
    """Steps of the continued pretraining before a trial."""
    asked = trial.regime["parameters"]
    if trial.limits:
        return float(trial.budget.get("steps", 0))
    a_pass = math.ceil(rows / asked.get("pretraining_batch_size", 16))
    return float(asked.get("pretraining_steps") or math.ceil(asked.get("pretraining_epochs", 0) * a_pass))


def _training(trial: Trial, pace: Pace, examples: int) -> float:
    """Seconds of the optimiser steps that a trial's budget gives."""
    if "after" in trial.regime:  # the task before, this one, and this one without the other, at much the same length
        return 3 * _steps(trial, pace, examples)
    return _steps(trial, pace, examples)


def _steps(trial: Trial, pace: Pace, examples: int) -> float:
    if not trial.budget:
        return 0.0
    budget = Budget.model_validate(trial.budget)
    if budget.seconds is not None:
        return budget.seconds
    if budget.flops is not None:
        return budget.flops / (pace.flops or 1e10) * pace.step
    epochs = budget.epochs if budget.epochs is not None else min(EPOCHS, budget.max_epochs)
    a_pass = max(1, math.ceil(examples / trial.training["batch_size"]))
    steps = budget.steps or max(math.ceil(epochs * a_pass), budget.min_steps)
    return steps * pace.step
