"""The size at which one regime overtakes another, with an interval whose ends may be open."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from bench.analysis.column import Column, Difference, Floats
from bench.analysis.verdict.adequate import quantile
from bench.analysis.verdict.between import between, labels

STEPS = 48
"""Places between two neighbouring sizes at which the test is made."""
LEVEL = 0.95


@dataclass(frozen=True)
class Crossover:
    """Where `late` comes to lead `early` by more than the margin.

    at: labels; NaN where the means never cross within the sizes run. low, high: the ends of the 95 % interval; low is 0
    where it is open below the smallest size, high infinite where it is open beyond the largest; smallest, largest: the
    sizes run.
    """

    early: str
    late: str
    margin: float
    at: float
    low: float
    high: float
    smallest: float
    largest: float


@dataclass(frozen=True, eq=False)
class Ladder:
    """The columns of one task, model, noise rate and environment, by size, and one half-way between each two."""

    columns: tuple[Column, ...]

    @classmethod
    def of(cls, columns: Iterable[Column]) -> Ladder:
        """Those whose size is known, the smallest first."""
        return cls(tuple(sorted((one for one in columns if labels(one) > 0), key=labels)))

    @cached_property
    def sizes(self) -> tuple[float, ...]:
        """In labels."""
        return tuple(labels(one) for one in self.columns)

    @cached_property
    def halfway(self) -> tuple[Column, ...]:
        """Between each two that follow each other."""
        return tuple(between(first, second, 0.5) for first, second in pairwise(self.columns))


def _lead(column: Column, late: str, early: str) -> Difference | None:
    names = {one.name for one in column.candidates}
    return column.difference(late, early) if {late, early} <= names else None


def _stretch(ends: Sequence[Difference], middle: Difference) -> tuple[Floats, Floats]:
    """Means and half-widths along the way from one size to the next. The interpolated lead is linear in the part of the
    way, so its variance is quadratic in it: three places tell it, with what seeds and examples share in it."""
    part = np.arange(STEPS) / STEPS
    start, end = ends
    mean = (1 - part) * start.mean + part * end.mean
    first, half, last = start.se**2, middle.se**2, end.se**2
    variance = first * (1 - part) * (1 - 2 * part) + 4 * half * part * (1 - part) + last * part * (2 * part - 1)
    floor = min(first, half, last) / 4  # a quadratic through three estimates may dip below nothing
    df = np.interp(part, [0, 0.5, 1], [start.df, middle.df, end.df])
    t = np.array([quantile((1 - LEVEL) / 2, one) for one in df])
    return mean, t * np.sqrt(np.maximum(variance, floor))


def crossover(ladder: Ladder, early: str, late: str, margin: float = 0.0) -> Crossover | None:
    """Invert the paired test: the interval holds every size at which the lead of `late` may be the margin.

    A lead is linear in the logarithm of the size between two sizes. None where the two cannot be compared at two
    neighbouring sizes at least.
    """
    sizes: list[float] = []
    means: list[float] = []
    halves: list[float] = []
    last = None
    for (first, second), middle, ends in zip(
        pairwise(ladder.columns), ladder.halfway, pairwise(ladder.sizes), strict=True
    ):
        leads = [_lead(column, late, early) for column in (first, second, middle)]
        if any(one is None for one in leads):
            continue
        known = [one for one in leads if one is not None]
        mean, half = _stretch(known[:2], known[2])
        sizes += list(np.geomspace(ends[0], ends[1], STEPS + 1)[:-1])
        means += list(mean)
        halves += list(half)
        last = (ends[1], known[1])
    if last is None:
        return None
    size, lead = last
    return _inverted(
        early, late, margin, np.array([*sizes, size]), np.array([*means, lead.mean]) - margin,
        np.array([*halves, quantile((1 - LEVEL) / 2, lead.df) * lead.se if lead.se > 0 else 0.0]),
    )  # fmt: skip


def _inverted(early: str, late: str, margin: float, sizes: Floats, means: Floats, half: Floats) -> Crossover:
    below, above = means + half < 0, means - half > 0
    low = float(sizes[below][-1]) if below.any() else 0.0  # up to here the lead is surely not above the margin yet
    later = sizes[above & (sizes > low)]
    high = float(later[0]) if len(later) else math.inf
    return Crossover(early, late, margin, _zero(sizes, means), low, high, float(sizes[0]), float(sizes[-1]))


def _zero(sizes: Floats, means: Floats) -> float:
    """The size from which on the mean lead is above the margin; NaN where it is so everywhere or at the end not."""
    below = np.flatnonzero(means <= 0)
    if not len(below) or below[-1] == len(means) - 1:
        return math.nan
    last = int(below[-1])
    here, there = float(means[last]), float(means[last + 1])
    part = -here / (there - here)
    return float(sizes[last] * (sizes[last + 1] / sizes[last]) ** part)
