"""From a suite, its lock and the records so far to every trial that is to run: pure, and torch-free."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from bench import contracts, plugins
from bench.contracts import Question
from bench.data.subsets import draw
from bench.errors import NotApplicable
from bench.modeling.inference import choose_way
from bench.modeling.inference.label_scoring import LabelScoring
from bench.modeling.models.facts import Facts
from bench.modeling.models.generation_models import extracts, writer
from bench.planning import tuning
from bench.planning.lock import SECTIONS, also_places, also_spec, orders, split, task_spec
from bench.planning.trial_counts import GOOD, INFRASTRUCTURE
from bench.store.record import Record
from bench.suite.parameters import Budget, TrainedParameters, Training
from bench.suite.schema import Regime, Size, Suite, Task
from bench.suite.trial import SCHEMA, Json, Names, Trial

RERUN = ("missing", "failed", "all")
"""What to run: what has no result of its own; that, and what failed; everything."""
SMOKE = {"size": 32, "examples": 16, "steps": 2}
State = Literal["planned", "waiting", "failed", "not_applicable", "unresolved"]


@dataclass
class Cell:
    """One place in the suite's tables. waiting: for its tuning; failed: no tuning trial succeeded; unresolved: the
    model or the task is not locked yet, so that no id is known, and `tunes` trials at most will be tuning."""

    names: Names
    size: int | str
    noise: float
    seeds: int
    state: State = "planned"
    reason: str | None = None
    tuned: Json = field(default_factory=dict)
    on_edge: bool = False
    range: Json | None = None
    tuning: list[Trial] = field(default_factory=list)
    reported: list[Trial] = field(default_factory=list)
    tunes: int = 0

    @property
    def place(self) -> tuple[Names, int | str, float]:
        """What tells it from the other cells of its suite."""
        return self.names, self.size, self.noise


@dataclass(repr=False)
class Plan:
    """All cells of a suite, in its order. Trials that several cells share stand in each."""

    suite: Suite
    cells: list[Cell]

    def __repr__(self) -> str:
        states = Counter(cell.state.replace("_", " ") for cell in self.cells)
        counts = ", ".join(f"{count} {state}" for state, count in states.items())
        return f"<Plan of {self.suite.name}: {len(self.cells)} cells ({counts}), {len(self.trials())} known trials>"

    def trials(self) -> dict[str, Trial]:
        """Every trial whose hyperparameters are known, by id, tuning first within a cell."""
        return {t.id: t for cell in self.cells for t in (*cell.tuning, *cell.reported)}

    def to_json(self) -> Json:
        """What `plan.json` holds (docs/records.md)."""
        trials = {
            t.id: {**vars(t.names), "size": t.size, "noise": t.noise, "seed": t.seed, "purpose": t.purpose}
            for t in self.trials().values()
        }
        cells = [
            {**vars(c.names), "size": c.size, "noise": c.noise, "seeds": c.seeds, "state": c.state, "reason": c.reason,
             "tuned": c.tuned, "on_edge": c.on_edge, "range": c.range, "tuning": [t.id for t in c.tuning],
             "reported": [t.id for t in c.reported]}
            for c in self.cells
        ]  # fmt: skip
        return {
            "schema": SCHEMA,
            "suite": self.suite.name,
            "tolerance": self.suite.tolerance,
            "trials": trials,
            "cells": cells,
        }


def build(
    suite: Suite, lock: Json, latest: Mapping[str, Record], tried: Set[str] = frozenset(), *, smoke: bool = False
) -> Plan:
    """Plan a suite. latest: {trial id: its record that counts}; tried: ids not to try again in this run.

    What is locked otherwise than the suite now asks counts as not locked.
    """
    lock = _as_asked(suite, lock)
    cells = []
    for task_name, task in suite.tasks.items():
        for model_name in task.models:
            for regime_name in task.regimes:
                names = Names(model_name, task_name, regime_name)
                cells += _Pair(suite, lock, latest, tried, names, smoke).cells()
    return Plan(suite, cells)


def replan(
    plan: Plan, ended: Trial, lock: Json, latest: Mapping[str, Record], tried: Set[str], *, smoke: bool = False
) -> Plan:
    """The plan as it stands after a tuning trial: the same object, unless the last one a cell waited for has ended.
    Only that cell's model, task and regime are planned anew, and those that come after it."""
    due = {
        cell.names
        for cell in plan.cells
        if cell.state == "waiting"
        and any(trial.id == ended.id for trial in cell.tuning)
        and all(settled(trial, latest, tried) for trial in cell.tuning)
    }
    if not due:
        return plan
    lock = _as_asked(plan.suite, lock)
    pairs = (_Pair(plan.suite, lock, latest, tried, names, smoke) for names in due)
    fresh = {cell.place: cell for pair in pairs for cell in pair.cells()}
    return Plan(plan.suite, [fresh.get(cell.place, cell) for cell in plan.cells])


def _as_asked(suite: Suite, lock: Json) -> Json:
    """The lock without what is locked otherwise than the suite now asks."""
    lock = {section: dict(lock[section]) for section in SECTIONS}
    for section, name, locked, _ in list(orders(suite, lock)):
        if not locked:
            lock[section].pop(name, None)
    return lock


def settled(trial: Trial, latest: Mapping[str, Record], tried: Set[str]) -> bool:
    """Whether a trial needs no further attempt in this run."""
    return trial.id in tried or (trial.id in latest and latest[trial.id]["status"] not in INFRASTRUCTURE)


def counted(latest: Mapping[str, Record], rerun: str) -> dict[str, Record]:
    """The records that are left to count when `rerun`, one of RERUN, is to run."""
    if rerun == "all":
        return {}
    return {trial: r for trial, r in latest.items() if rerun == "missing" or r["status"] in GOOD}


@dataclass
class _Pair:
    """One model, task and regime."""

    suite: Suite
    lock: Json
    latest: Mapping[str, Record]
    tried: Set[str]
    names: Names
    smoke: bool

    def cells(self) -> list[Cell]:
        task, regime = self.suite.tasks[self.names.task], self.suite.regimes[self.names.regime]
        module = plugins.load("regimes", regime.kind)
        sizes: tuple[Size, ...] = task.sizes if module.LABELS else (0,)
        noises: tuple[float, ...] = task.label_noise if module.LABELS else (0.0,)
        if self.smoke:
            sizes, noises = ((SMOKE["size"],) if module.LABELS else (0,)), noises[:1]
        seeds = self.suite.seeds[:1] if self.smoke or not module.LABELS else self.suite.seeds
        empty = [Cell(self.names, size, noise, len(seeds)) for size in sizes for noise in noises]
        model_lock = self.lock["models"].get(self.names.model)
        task_lock = self.lock["tasks"].get(self.names.task)
        if model_lock is None or task_lock is None:
            grid = tuning.grid(self.suite, regime, smoke=self.smoke)
            for cell in empty:
                cell.state, cell.tunes = "unresolved", len(grid) * len(tuning.seeds(self.suite, grid))
            return empty
        try:
            facts = Facts.from_files(model_lock["files"])
            base = self._base(task, regime, module, facts, model_lock, task_lock)
            first = self._first(task, module, facts)
        except NotApplicable as error:
            for cell in empty:
                cell.state, cell.reason = "not_applicable", str(error)
            return empty
        if first is not None and first.state == "planned":
            _follow(base, first)
        for cell in empty:
            if first is not None and first.state != "planned":
                cell.state, cell.tuning = first.state, first.tuning
                cell.reason = f"on {first.names.task}, which comes first: {first.reason}" if first.reason else None
            else:
                self._fill(cell, base, module, regime, tuple(seeds), task_lock)
        return empty

    def _first(self, task: Task, module: contracts.Regime[Any], facts: Facts) -> Cell | None:
        """The largest cell of the task that comes first, by the same regime. Raises NotApplicable."""
        if task.after is None:
            return None
        if not module.TRAINS:
            raise NotApplicable(f"it trains no weights that {task.after} could change for this task")
        if not module.PRETRAINED:
            raise NotApplicable(f"it starts from random weights, so nothing of {task.after} would be left")
        one, other = (_writes(each.kind, facts) for each in (task, self.suite.tasks[task.after]))
        if one != other and writer(facts) in ("encoder-decoder", "joined"):
            raise NotApplicable(f"one of it and {task.after} trains an encoder alone, the other a decoder too")
        cells = replace(self, names=replace(self.names, task=task.after)).cells()
        return [cell for cell in cells if cell.noise == cells[0].noise][-1]

    def _base(
        self, task: Task, regime: Regime, module: contracts.Regime[Any], facts: Facts, model_lock: Json, task_lock: Json
    ) -> dict[str, Any]:
        """All fields of the pair's trials but size, noise, seed, purpose and what is tuned."""
        kind = plugins.load("tasks", task.kind)
        if facts.modality not in (None, kind.MODALITY, "image-text"):
            raise NotApplicable(f"the model takes {facts.modality}, the task is {kind.MODALITY}")
        if (refusal := kind.refuses(facts, task.parameters)) is not None:
            raise NotApplicable(refusal)
        if facts.head == "endpoint" and (module.TRAINS or module.POOLED):
            raise NotApplicable("it is behind an endpoint, whose weights cannot be trained")
        spec = task_spec(self.suite, task, task_lock["fingerprint"])
        spec |= also_spec(task, task_lock.get("also_test", {}))
        if "labels" in spec["parameters"]:
            spec["parameters"]["labels"] = task_lock["labels"]
        objective = plugins.load("objectives", kind.OBJECTIVE)
        if module.POOLED and not objective.POOLED:
            raise NotApplicable(f"{task.kind} is not answered from one feature vector an example")
        if module.TRAINS and (reason := objective.applies(facts)) is not None:
            raise NotApplicable(reason)
        question = _question(task, spec)
        own = regime.parameters.model_dump(mode="json")
        resolved = module.resolve(facts, question, regime.parameters)
        if module.LABELS:  # nothing that only zero-shot looks at may change the other regimes' ids
            unseen = {"label_map"} | (set() if module.PROMPTS else {"templates"})
            spec["parameters"] = {k: v for k, v in spec["parameters"].items() if k not in unseen}
        overridden = set(TrainedParameters.model_fields) if module.TRAINS else set()
        tuned = {module.TUNED.parameter} if module.TUNED else set()
        forgetting, places = self._forgetting(facts) if module.TRAINS else ({}, {})
        if forgetting:
            resolved["forgetting"] = forgetting
        source = self.suite.models[self.names.model]
        content, model_place = split(source.parameters)
        _, data_place = split(task.data.parameters)
        training, budget = self._training(own, module.TRAINS), self._budget(own) if module.TRAINS else {}
        return {
            "model": {"source": source.source, "version": plugins.load("model_sources", source.source).VERSION,
                      "parameters": content, "fingerprint": model_lock["fingerprint"]},
            "task": spec,
            "regime": {"kind": regime.kind, "version": module.VERSION, **resolved,
                       "parameters": {k: v for k, v in own.items() if k not in overridden | tuned}},
            "validation": self.suite.validation,
            "budget": budget, "training": training,
            "limits": {"examples": SMOKE["examples"]} if self.smoke else {},
            "locations": {"model": model_place, "data": data_place, "forgetting": places,
                          "also_test": also_places(task)},
            "names": self.names,
        }  # fmt: skip

    def _forgetting(self, facts: Facts) -> tuple[Json, Json]:
        """The tasks on which to measure what training cost: those this model can answer without training, and where
        their data lies."""
        found, places = {}, {}
        for name in self.suite.forgetting:
            task, task_lock = self.suite.tasks[name], self.lock["tasks"].get(name)
            if task_lock is None:
                continue
            spec = task_spec(self.suite, task, task_lock["fingerprint"])
            if "labels" in spec["parameters"]:
                spec["parameters"]["labels"] = task_lock["labels"]
            way, _ = choose_way.choose(facts, _question(task, spec))
            if way is not None and isinstance(plugins.load("zeroshot", way), LabelScoring):
                found[name] = {"task": spec, "way": way, "way_version": plugins.load("zeroshot", way).VERSION}
                places[name] = split(task.data.parameters)[1]
        return found, places

    def _training(self, own: Json, trains: bool) -> Json:
        training = self.suite.training.model_dump(mode="json")
        training |= {k: own[k] for k in ("batch_size", "weight_decay") if own.get(k) is not None and trains}
        if not trains:
            return {k: training[k] for k in ("precision", "evaluation_batch_size")}
        return Training.model_validate(training).model_dump(mode="json")

    def _budget(self, own: Json) -> Json:
        """The budget's unit and what bears on it; the regime's own amount where it has one."""
        budget = self.suite.budget
        if self.smoke:
            return {"steps": SMOKE["steps"]}
        for unit in ("epochs", "steps"):
            if own.get(unit) is not None:
                budget = Budget.model_validate({unit: own[unit], "min_steps": budget.min_steps})
        bearing = {"epochs": ("min_steps",), "until": ("patience", "max_epochs", "min_steps")}.get(budget.unit, ())
        return {name: getattr(budget, name) for name in (budget.unit, *bearing)}

    def _fill(
        self,
        cell: Cell,
        base: dict[str, Any],
        module: contracts.Regime[Any],
        regime: Regime,
        seeds: tuple[int, ...],
        task_lock: Json,
    ) -> None:
        def trial(noise: float, seed: int, purpose: Literal["tuning", "reported"], tuned: Json) -> Trial:
            return Trial(**base, size=cell.size, noise=noise, seed=seed, purpose=purpose, tuned=tuned)  # type: ignore[arg-type]

        gives = plugins.load("tasks", base["task"]["kind"]).OBJECTIVE
        if cell.noise and not plugins.load("objectives", gives).NOISE:
            cell.state, cell.reason = "not_applicable", "there is no label noise for this kind of task"
            return
        if not module.LABELS:
            cell.reported = [trial(0.0, 0, "reported", {})]
            return
        cell.range = tuning.searched(regime)
        grid = tuning.grid(self.suite, regime, smoke=self.smoke)
        tuning_seeds = tuning.seeds(self.suite, grid)
        judged = (*tuning_seeds, *(seeds if base["budget"].get("until") else ()))
        reason = self._too_small(cell.size, task_lock["classes"]["train"], judged)
        if reason is not None:
            cell.state, cell.reason = "not_applicable", reason
            return
        if len(grid) <= 1:
            cell.tuned = dict(grid[0]) if grid else {}
        else:
            cell.tuning = [trial(0.0, seed, "tuning", value) for value in grid for seed in tuning_seeds]
            if not all(settled(t, self.latest, self.tried) for t in cell.tuning):
                cell.state = "waiting"
                return
            winner = tuning.winner(grid, cell.tuning, self.latest)
            if winner is None:
                cell.state, cell.reason = "failed", "no tuning trial succeeded"
                return
            cell.tuned, cell.on_edge = grid[winner], winner in (0, len(grid) - 1)
        cell.reported = [trial(cell.noise, seed, "reported", cell.tuned) for seed in seeds]

    def _too_small(self, size: int | str, classes: list[int], seeds: tuple[int, ...]) -> str | None:
        """Why the pool cannot give this budget, or no validation part to one of the seeds that are judged by it."""
        pool = SMOKE["examples"] * 4 if self.smoke else sum(classes)
        if isinstance(size, int) and size > pool:
            return f"the training split has only {pool} labelled examples"
        held_out = self.suite.validation
        if held_out == "full" or (pool if isinstance(size, str) else size) * held_out >= 2 * len(classes):
            return None
        if all(_held_out(tuple(classes), size, held_out, seed) for seed in seeds):
            return None
        return f"of {size} labels none is left to validate on; take more, or `validation: full`, or fix what is tuned"


def _follow(base: dict[str, Any], first: Cell) -> None:
    """Have a pair's trials start from where those of another cell, clean and seed by seed, end."""
    one = first.reported[0]
    regime = {key: value for key, value in one.regime.items() if key != "forgetting"}
    base["regime"]["after"] = {"task": one.task, "regime": regime, "size": one.size, "tuned": one.tuned}
    places = {key: one.locations[key] for key in ("data", "also_test")}
    base["locations"]["after"] = {**places, "name": first.names.task}


def _writes(kind: str, facts: Facts) -> bool:
    """Whether a model answers a kind of task with text that it writes, and not by words of what it read."""
    gives = plugins.load("tasks", kind).OBJECTIVE
    return not extracts(facts) if gives == "spans" else plugins.load("objectives", gives).ANSWERS == "texts"


def _question(task: Task, spec: Json) -> Question:
    """spec: the trial's task, its labels resolved."""
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


@functools.cache
def _held_out(classes: tuple[int, ...], size: int | str, validation: float, seed: int) -> int:
    """How many labels are held out. Small budgets differ by seed: it decides which class comes first."""
    labels = np.repeat(np.arange(len(classes)), classes)
    return len(draw(labels, size, validation, seed).validation)  # type: ignore[arg-type]
