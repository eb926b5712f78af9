"""From a suite, its lock and the records so far to every trial that is to run: pure, and torch-free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

from bench.planning import tuning
from bench.planning.combination import SMOKE, Combination
from bench.planning.eligibility import no_label_noise, refusal, too_few_labels
from bench.planning.lock import SECTIONS, orders
from bench.planning.specification import shared_fields
from bench.planning.trial_counts import GOOD, INFRASTRUCTURE
from bench.store.record import Record
from bench.suite.schema import Suite
from bench.suite.trial import PROTOCOL, SCHEMA, Json, Names, Size, Trial

RERUN = ("missing", "failed", "all")
"""What to run: what has no result of its own; that, and what failed; everything."""
State = Literal["planned", "waiting", "not_applicable", "unresolved"]


@dataclass
class Cell:
    """One place in the suite's tables. waiting: the tuning of some seed has not come to its choice; unresolved: the
    model or the task is not locked yet, so that no id is known, and it begins with at most `tunes` trials.

    tried: how far tuning has come, seed by seed; tuning: the trials that were not chosen, or not yet; reported: those
    that were."""

    names: Names
    size: Size
    noise: float
    seeds: int
    state: State = "planned"
    reason: str | None = None
    search: tuning.Search | None = None
    tried: list[tuning.Tried] = field(default_factory=list)
    tuning: list[Trial] = field(default_factory=list)
    reported: list[Trial] = field(default_factory=list)
    tunes: int = 0

    @property
    def place(self) -> tuple[Names, Size, float]:
        """What tells it from the other cells of its suite."""
        return self.names, self.size, self.noise

    @property
    def trials(self) -> list[Trial]:
        """Every trial that is known, tuning first."""
        return [*self.tuning, *self.reported]

    def to_json(self) -> Json:
        """What `plan.json` holds of it. tuned: the median of what the seeds chose."""
        chosen = sorted(one.chosen for one in self.tried for _ in one.seeds if one.chosen is not None)
        search = self.search
        searches = search is not None and not search.within
        return {
            **vars(self.names), "size": self.size, "noise": self.noise, "seeds": self.seeds, "state": self.state,
            "reason": self.reason,
            "tuned": {search.parameter: chosen[len(chosen) // 2]} if search is not None and chosen else {},
            "on_edge": any(one.on_edge for one in self.tried),
            "range": None if search is None else search.to_json(),
            "choices": [one.to_json() for one in self.tried] if searches else [],
            "tuning": [t.id for t in self.tuning], "reported": [t.id for t in self.reported],
        }  # fmt: skip


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
        """Every trial that is known, by id, tuning first within a cell."""
        return {t.id: t for cell in self.cells for t in cell.trials}

    def to_json(self) -> Json:
        """What `plan.json` holds (docs/records.md)."""
        reported = {trial.id for cell in self.cells for trial in cell.reported}
        trials = {
            t.id: {**vars(t.names), "size": t.size, "noise": t.noise, "seed": t.seed,
                   "purpose": "reported" if t.id in reported else "tuning"}
            for t in self.trials().values()
        }  # fmt: skip
        tasks = self.suite.tasks.items()
        spoilt = {name: task.spoils._asdict() for name, task in tasks if task.spoils is not None}
        return {
            "schema": SCHEMA,
            "protocol": PROTOCOL,
            "suite": self.suite.name,
            "tolerance": self.suite.tolerance,
            "reported": [one.model_dump(exclude_none=True) for one in self.suite.reported],
            "select": self.suite.tuning_select,
            "trials": trials,
            "cells": [cell.to_json() for cell in self.cells],
            **({"input_noise": spoilt} if spoilt else {}),
        }


def build(
    suite: Suite, lock: Json, latest: Mapping[str, Record], tried: Set[str] = frozenset(), *, smoke: bool = False
) -> Plan:
    """Plan a suite. latest: {trial id: its record that counts}; tried: ids not to try again in this run.

    What is locked otherwise than the suite now asks counts as not locked.
    """
    planner = _Planner(suite, _as_asked(suite, lock), latest, tried, smoke)
    cells = []
    for task_name, task in suite.tasks.items():
        for model_name in task.models:
            for regime_name in task.regimes:
                cells += planner.cells(Names(model_name, task_name, regime_name))
    return Plan(suite, cells)


def replan(
    plan: Plan, ended: Trial, lock: Json, latest: Mapping[str, Record], tried: Set[str], *, smoke: bool = False
) -> Plan:
    """The plan as it stands after a trial: the same object, unless it was the last one that a seed's tuning waited for.
    Only that cell's model, task and regime are planned anew, and those that come after it."""
    due = {
        cell.names
        for cell in plan.cells
        if cell.state == "waiting"
        for one in cell.tried
        if any(trial.id == ended.id for trial in one.trials.values())
        and all(settled(trial, latest, tried) for trial in one.trials.values())
    }
    if not due:
        return plan
    planner = _Planner(plan.suite, _as_asked(plan.suite, lock), latest, tried, smoke)
    fresh = {cell.place: cell for names in due for cell in planner.cells(names)}
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


@dataclass(frozen=True)
class _Planner:
    """What all cells are planned with."""

    suite: Suite
    lock: Json
    latest: Mapping[str, Record]
    tried: Set[str]
    smoke: bool

    def cells(self, names: Names) -> list[Cell]:
        """The cells of one model, task and regime."""
        combination = Combination(self.suite, self.lock, names, self.smoke)
        cells, seeds = self._empty(combination)
        if not combination.locked:
            return [replace(cell, state="unresolved", tunes=combination.count * cell.seeds) for cell in cells]
        if (reason := refusal(combination)) is not None:
            return [replace(cell, state="not_applicable", reason=reason) for cell in cells]
        first = self._first(combination)
        if first is not None and first.state != "planned":
            reason = f"on {first.names.task}, which comes first: {first.reason}" if first.reason else None
            return [
                replace(cell, state=first.state, reason=reason, tuning=first.trials, tried=first.tried)
                for cell in cells
            ]
        starts = {trial.seed: trial for trial in first.reported} if first is not None else {}
        fields = {seed: shared_fields(combination, starts[seed]) for seed in seeds if seed in starts}
        same = shared_fields(combination, None) if first is None else {}
        for cell in cells:
            self._fill(cell, combination, lambda seed: fields.get(seed, same), seeds)
        return cells

    def _empty(self, combination: Combination) -> tuple[list[Cell], tuple[int, ...]]:
        """Cells without trials, and the seeds each is reported with."""
        sizes: tuple[Size, ...] = combination.task.sizes
        noises, seeds = combination.task.label_noise, self.suite.seeds
        if self.smoke:
            sizes, noises, seeds = (SMOKE["size"],), noises[:1], seeds[:1]
        if not combination.regime_kind.LABELS:
            sizes, noises, seeds = (0,), (0.0,), seeds[:1]
        return [Cell(combination.names, size, noise, len(seeds)) for size in sizes for noise in noises], seeds

    def _first(self, combination: Combination) -> Cell | None:
        """The largest clean cell of the task that comes first, by the same model and regime; None where none does."""
        if combination.task.after is None:
            return None
        cells = self.cells(replace(combination.names, task=combination.task.after))
        return [cell for cell in cells if cell.noise == cells[0].noise][-1]

    def _fill(
        self, cell: Cell, combination: Combination, fields: Callable[[int], dict[str, Any]], seeds: tuple[int, ...]
    ) -> None:
        """Give a cell its trials. Those of a seed's tuning come first: one of them is reported. fields: what the trials
        of a seed share."""
        if (reason := no_label_noise(combination, cell.noise)) is not None:
            cell.state, cell.reason = "not_applicable", reason
            return
        if not combination.regime_kind.LABELS:
            cell.reported = [Trial(**fields(0), size=cell.size, noise=0.0, seed=0, tuned={})]
            return
        search = cell.search = combination.search
        judged = seeds if combination.count > 1 or fields(seeds[0])["budget"].get("until") else ()
        if (reason := too_few_labels(combination, cell.size, judged)) is not None:
            cell.state, cell.reason = "not_applicable", reason
            return

        def trial(seed: int, value: float | None) -> Trial:
            tuned = {} if search is None or value is None else {search.parameter: value}
            return Trial(**fields(seed), size=cell.size, noise=cell.noise, seed=seed, tuned=tuned)

        if search is None or combination.tunes_within:
            cell.reported = [trial(seed, None) for seed in seeds]
            return
        for together in tuning.groups(self.suite, seeds):
            known = partial(settled, latest=self.latest, tried=self.tried)
            cell.tried.append(tuning.tune(search, combination.count, together, trial, known, self.latest))
        cell.reported = [one for tried in cell.tried for one in tried.reported]
        cell.tuning = [one for tried in cell.tried for one in tried.others]
        if any(tried.chosen is None for tried in cell.tried):
            cell.state = "waiting"
