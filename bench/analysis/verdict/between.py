"""A column between two that were run: what their scores, example by example, say of a size between them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bench.analysis.column import Candidate, Column


def part_of(low: float, high: float, size: float) -> float:
    """Where a size lies between two on the scale of their logarithms: 0 at the low one, 1 at the high one."""
    return (math.log(size) - math.log(low)) / (math.log(high) - math.log(low))


def labels(column: Column) -> float:
    """How many labels a column's size stands for; that of `all` as its rows count them, NaN where none does."""
    if column.size != "all":
        return float(column.size)
    known = [float(row["labels"]) for row in column.rows.values() if row.get("labels")]
    known = [value for value in known if math.isfinite(value) and value > 0]
    return known[0] if known else math.nan


def _candidate(low: Candidate, high: Candidate, part: float) -> Candidate | None:
    """Of the seeds both have: larger sizes hold the smaller ones' labels, so seeds go together. None without any."""
    if not low.labelled:
        return low
    seeds = tuple(sorted(set(low.seeds) & set(high.seeds)))
    if not seeds:
        return None
    here, there = ([one.seeds.index(seed) for seed in seeds] for one in (low, high))
    values = None
    if low.values is not None and high.values is not None and np.array_equal(low.examples, high.examples):  # type: ignore[arg-type]
        values = (1 - part) * low.values[here] + part * high.values[there]
    return replace(
        low,
        seeds=seeds,
        scores=(1 - part) * low.scores[here] + part * high.scores[there],
        values=values,
        examples=low.examples if values is not None else None,
        clusters=low.clusters if values is not None else None,
        failed=max(low.failed, high.failed),
        degenerate=max(low.degenerate, high.degenerate),
    )


def _row(low: Mapping[str, Any], high: Mapping[str, Any], part: float) -> dict[str, Any]:
    """Costs between two rows' costs, on the scale of their logarithms where both are above 0."""
    found: dict[str, Any] = {}
    for name, first in low.items():
        second = high.get(name)
        numbers = [isinstance(one, int | float) and not isinstance(one, bool) for one in (first, second)]
        if not all(numbers):
            found[name] = first
        elif first > 0 and second > 0:  # type: ignore[operator]
            found[name] = math.exp((1 - part) * math.log(first) + part * math.log(second))  # type: ignore[arg-type]
        else:
            found[name] = max((1 - part) * first + part * second, 0.0)  # type: ignore[operator]
    return found


def between(low: Column, high: Column, part: float, size: int | None = None, noise: float | None = None) -> Column:
    """The column at `part` of the way from one to another of the same task, model and metric.

    Each seed's score of each example is interpolated (below 0 or above 1: extrapolated, and the intervals widen as they
    must), so that what the two share, seeds and examples, stays shared. Candidates that only one of them has are left
    out.
    """
    others = {one.name: one for one in high.candidates}
    pairs = [(one, others[one.name]) for one in low.candidates if one.name in others]
    mixed = [_candidate(*pair, part) for pair in pairs]
    candidates = tuple(one for one in mixed if one is not None)
    return replace(
        low,
        size=low.size if size is None else size,
        noise=low.noise if noise is None else noise,
        candidates=candidates,
        rows={
            one.name: _row(low.rows[one.name], high.rows[one.name], part)
            for one in candidates
            if one.name in low.rows and one.name in high.rows
        },
    )
