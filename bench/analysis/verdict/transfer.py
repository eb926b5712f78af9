"""Effective data transferred: how many labels pretraining is worth (Hernandez et al. 2021, arXiv 2102.01293)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.analysis.column import Column, Floats
from bench.analysis.verdict.between import labels

DRAWS = 2_000
SEED = 2_021


@dataclass(frozen=True)
class Transfer:
    """At `size` labels the adapted regime scores what training from scratch needs `size` + `extra` labels for.

    extra, low, high: labels, with the 95 % interval; at_least: the curve from scratch ends before it gets there, so
    that `extra` is a lower bound; high is then infinite.
    """

    adapted: str
    scratch: str
    size: float
    extra: float
    low: float
    high: float
    at_least: bool


def needed(sizes: Floats, scores: Floats, target: float) -> float:
    """The size at which a curve reaches a score, by interpolation along the logarithm of the size; infinite where it
    ends below it, the smallest size where it begins above.

    scores: [sizes], larger is better; a fall is taken as flat.
    """
    rising = np.maximum.accumulate(scores)
    if target > rising[-1]:
        return math.inf
    if target <= rising[0]:
        return float(sizes[0])
    place = int(np.searchsorted(rising, target))
    here, there = rising[place - 1], rising[place]
    part = (target - here) / (there - here)
    return float(sizes[place - 1] * (sizes[place] / sizes[place - 1]) ** part)


def transfer(columns: Sequence[Column], adapted: str, scratch: str) -> list[Transfer]:
    """At every size that both have; none with one size of the curve from scratch."""
    ordered = sorted((c for c in columns if labels(c) > 0), key=labels)
    ordered = [c for c in ordered if {adapted, scratch} <= {one.name for one in c.candidates}]
    if len(ordered) < 2:
        return []
    sizes = np.array([labels(c) for c in ordered])
    means = {name: np.array([c.sign * c.candidate(name).mean for c in ordered]) for name in (adapted, scratch)}
    draws = [_draws(c, index, adapted, scratch) for index, c in enumerate(ordered)]
    curves = np.stack([one[:, 1] for one in draws], axis=1)
    found = []
    for index, size in enumerate(sizes):
        extra = max(needed(sizes, means[scratch], means[adapted][index]) - size, 0.0)
        each = [needed(sizes, row, own) for row, own in zip(curves, draws[index][:, 0], strict=True)]
        low, high = np.quantile(np.array(each), [0.025, 0.975], method="nearest")
        ended = math.isinf(extra)
        found.append(
            Transfer(
                adapted,
                scratch,
                float(size),
                float(sizes[-1] - size) if ended else extra,
                max(float(min(low, sizes[-1])) - float(size), 0.0),
                max(float(high) - float(size), 0.0),
                ended,
            )
        )
    return found


def _draws(column: Column, index: int, adapted: str, scratch: str) -> Floats:
    """[draws, 2] of the true means, larger is better."""
    names = [one.name for one in column.candidates]
    found: Floats = column.draws(DRAWS, SEED + index)[:, [names.index(adapted), names.index(scratch)]]
    return found
