"""From a suite, its lock and the records so far to every trial that is to run: pure, and torch-free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from bench.planning import tuning
from bench.planning.combination import SMOKE, Combination
from bench.planning.eligibility import no_label_noise, refusal, too_few_labels
from bench.planning.lock import SECTIONS, orders
from bench.planning.specification import shared_fields
from bench.planning.trial_counts import GOOD, INFRASTRUCTURE
from bench.store.record import Record
from bench.suite.schema import Suite
from bench.suite.trial import SCHEMA, Json, Names, Size, Trial

RERUN = ("missing", "failed", "all")
"""What to run: what has no result of its own; that, and what failed; everything."""
State = Literal["planned", "waiting", "failed", "not_applicable", "unresolved"]


@dataclass
class Cell:
    """One place in the suite's tables. waiting: for its tuning; failed: no tuning trial succeeded; unresolved: the
    model or the task is not locked yet, so that no id is known, and `tunes` trials at most will be tuning."""

    names: Names
    size: Size
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
    def place(self) -> tuple[Names, Size, float]:
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
            "reported": [one.model_dump(exclude_none=True) for one in self.suite.reported],
            "trials": trials,
            "cells": cells,
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
            grid = tuning.grid(self.suite, combination.regime, smoke=self.smoke)
            tunes = len(grid) * len(tuning.seeds(self.suite, grid))
            return [replace(cell, state="unresolved", tunes=tunes) for cell in cells]
        if (reason := refusal(combination)) is not None:
            return [replace(cell, state="not_applicable", reason=reason) for cell in cells]
        first = self._first(combination)
        if first is not None and first.state != "planned":
            reason = f"on {first.names.task}, which comes first: {first.reason}" if first.reason else None
            return [replace(cell, state=first.state, tuning=first.tuning, reason=reason) for cell in cells]
        fields = shared_fields(combination, first.reported[0] if first is not None else None)
        for cell in cells:
            self._fill(cell, combination, fields, seeds)
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

    def _fill(self, cell: Cell, combination: Combination, fields: dict[str, Any], seeds: tuple[int, ...]) -> None:
        """Give a cell its tuning trials, and those to be reported once these have all ended."""

        def trial(noise: float, seed: int, purpose: Literal["tuning", "reported"], tuned: Json) -> Trial:
            return Trial(**fields, size=cell.size, noise=noise, seed=seed, purpose=purpose, tuned=tuned)

        if (reason := no_label_noise(combination, cell.noise)) is not None:
            cell.state, cell.reason = "not_applicable", reason
            return
        if not combination.regime_kind.LABELS:
            cell.reported = [trial(0.0, 0, "reported", {})]
            return
        cell.range = tuning.searched(combination.regime)
        grid = tuning.grid(self.suite, combination.regime, smoke=self.smoke)
        tuning_seeds = tuning.seeds(self.suite, grid)
        judged = (*tuning_seeds, *(seeds if fields["budget"].get("until") else ()))
        if (reason := too_few_labels(combination, cell.size, judged)) is not None:
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
