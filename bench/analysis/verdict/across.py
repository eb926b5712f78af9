"""Regimes over several tasks: normalised scores, their interquartile mean, and the probability of improvement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import mannwhitneyu, trim_mean

from bench.analysis.column import Column, Floats


class Across(NamedTuple):
    """A regime over columns: the interquartile mean of its normalised scores, 95 % interval by a bootstrap that draws
    seeds within each column, and the number of columns."""

    name: str
    iqm: float
    low: float
    high: float
    columns: int


def normalised(column: Column) -> dict[str, Floats]:
    """(score − floor) / (best − floor) of every seed of every regime: 0 is the simplest baseline's (else the metric's
    worst score), 1 the best regime's mean. None where the best is no better than the floor."""
    regimes = [one for one in column.candidates if one.kind != "baseline"]
    floors = [column.sign * one.mean for one in column.candidates if one.kind == "baseline" and not one.labelled]
    worst = column.range[1] if column.lower_is_better else column.range[0]
    floor = min(floors) if floors else column.sign * worst
    best = max((column.sign * one.mean for one in regimes), default=floor)
    if not np.isfinite(floor) or best <= floor:
        return {}
    return {one.name: (column.sign * one.scores - floor) / (best - floor) for one in regimes}


def interquartile_mean(scores: Floats) -> float:
    """The mean of the middle half (Agarwal et al. 2021, arXiv 2108.13264)."""
    return float(trim_mean(scores, 0.25))


def across(columns: Sequence[Column], draws: int = 500, seed: int = 108) -> list[Across]:
    """Of every regime that all of the columns have, the best first; empty below two columns."""
    tables = [table for column in columns if (table := normalised(column))]
    if len(tables) < 2:
        return []
    random = np.random.default_rng(seed)
    found = []
    for name in tables[0]:
        if not all(name in table for table in tables):
            continue
        cells = [table[name] for table in tables]
        redrawn = [random.choice(cell, size=(draws, len(cell))) for cell in cells]
        spread = trim_mean(np.concatenate(redrawn, axis=1), 0.25, axis=1)
        low, high = np.quantile(spread, [0.025, 0.975])
        found.append(Across(name, interquartile_mean(np.concatenate(cells)), float(low), float(high), len(tables)))
    return sorted(found, key=lambda one: -one.iqm)


def improvement(first: Sequence[Floats], second: Sequence[Floats]) -> float:
    """The probability that a run of the first is better than one of the second, a tie counting half, averaged over
    tasks: the Mann–Whitney statistic over the number of pairs. Each holds [runs] by task, larger is better."""
    found = [mannwhitneyu(a, b).statistic / (len(a) * len(b)) for a, b in zip(first, second, strict=True)]
    return float(np.mean(found))


def improvements(columns: Sequence[Column], names: Sequence[str]) -> Mapping[tuple[str, str], float]:
    """Of each regime over each other, over the columns that have both."""
    found = {}
    for first in names:
        for second in names:
            both = [
                (c.sign * c.candidate(first).scores, c.sign * c.candidate(second).scores)
                for c in columns
                if {first, second} <= {one.name for one in c.candidates}
            ]
            if first != second and both:
                found[first, second] = improvement([a for a, _ in both], [b for _, b in both])
    return found
