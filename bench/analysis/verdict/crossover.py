"""The size at which one regime overtakes another, with an interval whose ends may be open."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy.special import stdtrit

from bench.analysis.column import Column, Difference, Floats
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


@dataclass(frozen=True)
class _Steadied:
    """A lead whose seed variance is drawn half-way towards what it is at the other sizes: with two or three seeds, one
    size alone tells little of it. seeds, examples: the two parts of the variance of the mean."""

    mean: float
    seeds: float
    examples: float


def _steadied(leads: Sequence[Difference]) -> list[_Steadied]:
    pooled = sum(one.seed_variance for one in leads) / len(leads)
    return [
        _Steadied(one.mean, (one.seed_variance + pooled) / 2 / one.seeds, one.example_variance / max(one.examples, 1))
        for one in leads
    ]


def _quadratic(ends: tuple[float, float], middle: float, part: Floats) -> Floats:
    """The variance along the way: the interpolated lead is linear in the part of the way, so its variance is quadratic
    in it, and three places tell it. A quadratic through three estimates may dip below nothing: it is kept above."""
    first, last = ends
    found = first * (1 - part) * (1 - 2 * part) + 4 * middle * part * (1 - part) + last * part * (2 * part - 1)
    return np.maximum(found, min(first, middle, last) / 4)


def crossover(ladder: Ladder, early: str, late: str, margin: float = 0.0) -> Crossover | None:
    """Invert the paired test: the interval holds every size at which the lead of `late` may be the margin.

    A lead is linear in the logarithm of the size between two sizes. None where the two cannot be compared at two
    neighbouring sizes at least.
    """
    known = [_lead(one, late, early) for one in ladder.columns]
    halfway = [_lead(one, late, early) for one in ladder.halfway]
    steps = [
        (index, first, second, middle)
        for index, (first, second, middle) in enumerate(zip(known, known[1:], halfway, strict=False))
        if first is not None and second is not None and middle is not None
    ]
    if not steps:
        return None
    used = sorted({place for index, *_ in steps for place in (index, index + 1)})
    at = dict(zip(used, _steadied([one for place in used if (one := known[place]) is not None]), strict=True))
    between_ = _steadied([middle for *_, middle in steps])
    seeds = min(first.seeds for _, first, _, _ in steps)
    examples = min(first.examples for _, first, _, _ in steps)
    sizes, means, variances = [], [], []
    for (index, *_), middle in zip(steps, between_, strict=True):
        start, end = at[index], at[index + 1]
        part = np.arange(STEPS) / STEPS
        sizes.append(ladder.sizes[index] * (ladder.sizes[index + 1] / ladder.sizes[index]) ** part)
        means.append((1 - part) * start.mean + part * end.mean)
        variances.append(
            [
                _quadratic((start.seeds, end.seeds), middle.seeds, part),
                _quadratic((start.examples, end.examples), middle.examples, part),
            ]
        )
    last = at[used[-1]]
    of_seeds, of_examples = np.concatenate([*variances, [[last.seeds], [last.examples]]], axis=1)
    borrowed = min(one.seed_df - (one.seeds - 1) for place in used if (one := known[place]) is not None)
    # half its own size's variance, half the mean over L sizes: of S − 1 at each they make 4 L/(L + 3) times as many;
    # what a column lends, it lends at every size alike, so that it counts once
    freedom = (borrowed + (seeds - 1) * 4 * len(used) / (len(used) + 3), max(examples - 1, 1))
    return _inverted(
        early, late, margin, np.append(np.concatenate(sizes), ladder.sizes[used[-1]]),
        np.append(np.concatenate(means), last.mean) - margin, _half(of_seeds, of_examples, freedom),
    )  # fmt: skip


def _half(seeds: Floats, examples: Floats, freedom: tuple[float, float]) -> Floats:
    """Half-widths, with Satterthwaite's degrees of freedom."""
    total = seeds + examples
    spread = seeds**2 / freedom[0] + examples**2 / freedom[1]
    df = np.divide(total**2, spread, out=np.ones_like(total), where=spread > 0)
    found: Floats = -stdtrit(df, (1 - LEVEL) / 2) * np.sqrt(total)
    return found


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
