"""`--only AXIS=VALUE`: the part of a plan that was asked for."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import replace

from bench.errors import UsageError, did_you_mean
from bench.planning.plan import Cell, Plan

PLACE = ("model", "task", "regime", "size", "noise")
"""Axes that tell one cell from another; the other chooses among a cell's trials."""
AXES = (*PLACE, "seed")


def narrow(plan: Plan, only: Sequence[str]) -> Plan:
    """Keep what matches every `axis=pattern[,pattern…]`. Raises UsageError.

    What sees no label has no seed and goes with any. Where one value is chosen for all seeds, they are all tuned.
    """
    filters = parse(only)
    for axis, wanted in filters.items():
        known = {value for cell in plan.cells for value in _values(plan, cell, axis)}
        for pattern in wanted:
            if not matches(known, [pattern]):
                hint = did_you_mean(pattern, known)
                raise UsageError(f"--only {axis}={pattern}: no {axis} of suite {plan.suite.name} matches{hint}")
    kept = [
        _part(plan, cell, filters)
        for cell in plan.cells
        if all(matches(_values(plan, cell, axis), wanted) for axis, wanted in filters.items())
    ]
    if not kept:
        raise UsageError(f"--only {' '.join(only)}: no cell of suite {plan.suite.name} matches all of it")
    return Plan(plan.suite, kept)


def parse(only: Sequence[str]) -> dict[str, list[str]]:
    """{axis: its patterns}. Raises UsageError."""
    filters: dict[str, list[str]] = {}
    for item in [only] if isinstance(only, str) else only:
        axis, equals, patterns = item.partition("=")
        if axis not in AXES or not equals:
            raise UsageError(
                f"--only {item}: give axis=value, the axis one of {', '.join(AXES)}{did_you_mean(axis, AXES)}"
            )
        filters.setdefault(axis, []).extend(patterns.split(","))
    return filters


def matches(values: Iterable[str], patterns: Sequence[str]) -> bool:
    """Whether one of the values is, or is like, one of the patterns."""
    return any(value == pattern or fnmatch.fnmatchcase(value, pattern) for value in values for pattern in patterns)


def _values(plan: Plan, cell: Cell, axis: str) -> tuple[str, ...]:
    """What a cell holds on an axis."""
    if axis == "seed":
        seeds = plan.suite.seeds if cell.size == 0 else plan.suite.seeds[: cell.seeds]
        return tuple(map(str, seeds))
    return (str({**vars(cell.names), "size": cell.size, "noise": f"{cell.noise:g}"}[axis]),)


def _part(plan: Plan, cell: Cell, filters: dict[str, list[str]]) -> Cell:
    """The cell with those of its seeds that were asked for."""
    wanted = filters.get("seed")
    if wanted is None or cell.size == 0:
        return cell
    seeds = sum(matches([seed], wanted) for seed in _values(plan, cell, "seed"))
    tried = [one for one in cell.tried if matches(map(str, one.seeds), wanted)]
    together = {str(seed) for one in tried for seed in one.seeds}
    return replace(
        cell, seeds=seeds, tunes=cell.tunes // max(cell.seeds, 1) * seeds, tried=tried,
        tuning=[trial for trial in cell.tuning if str(trial.seed) in together],
        reported=[trial for trial in cell.reported if matches([str(trial.seed)], wanted)],
    )  # fmt: skip
