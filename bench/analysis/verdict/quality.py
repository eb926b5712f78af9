"""What wrong labels cost: the slope of score against noise, and how often they change the verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from bench.analysis.column import Column, Floats


@dataclass(frozen=True)
class Slope:
    """How much a regime's score falls where all labels are wrong instead of none, by the line through the rates run.

    per_unit, low, high: in the metric's unit a unit of noise, with the 95 % interval over seeds; negative: worse.
    """

    name: str
    per_unit: float
    low: float
    high: float
    seeds: int


def line(rates: Floats, scores: Floats) -> Floats:
    """The least-squares slope of every seed. rates: [R], at least two different; scores: [S, R]."""
    centred = rates - rates.mean()
    found: Floats = scores @ centred / float(centred @ centred)
    return found


def slope(columns: Sequence[Column], name: str) -> Slope | None:
    """Of one regime over the noise rates of one task, model, size and environment; None below two rates or seeds.

    Seeds are paired: at every rate they hold the same examples, the wrong labels of a lower rate among those of a
    higher. A regime whose seeds all fall alike has an interval of no width.
    """
    rows = [(c.noise, one) for c in columns for one in c.candidates if one.name == name and one.labelled]
    rows.sort(key=lambda row: row[0])
    if len({rate for rate, _ in rows}) < 2:
        return None
    seeds = sorted(set.intersection(*(set(one.seeds) for _, one in rows)))
    if len(seeds) < 2:
        return None
    scores = np.stack([one.scores[[one.seeds.index(seed) for seed in seeds]] for _, one in rows], axis=1)
    sign = columns[0].sign
    each = sign * line(np.array([rate for rate, _ in rows]), scores)
    half = float(stdtrit(len(each) - 1, 0.975)) * float(each.std(ddof=1)) / math.sqrt(len(each))
    mean = float(each.mean())
    return Slope(name, mean, mean - half, mean + half, len(each))


def changes(verdicts: Sequence[tuple[str | None, str | None]]) -> tuple[int, int]:
    """(changed, compared): of pairs of a clean and a noisy verdict, how many name another regime; pairs of which one is
    undecided are not compared."""
    both = [(clean, noisy) for clean, noisy in verdicts if clean is not None and noisy is not None]
    return sum(clean != noisy for clean, noisy in both), len(both)
