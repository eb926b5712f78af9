"""How many neighbours in the order of means cannot be told apart."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from bench.analysis.column import Column


def neighbours(columns: Iterable[Column]) -> tuple[int, int]:
    """(inseparable, all): pairs of regimes that follow each other in the order of a column's means, and those of them
    whose 95 % interval of the difference holds 0, or of which no difference can be judged."""
    inseparable = count = 0
    for column in columns:
        regimes = [one for one in column.candidates if one.kind != "baseline"]
        ordered = sorted(regimes, key=lambda one: -column.sign * one.mean)
        for better, worse in pairwise(ordered):
            count += 1
            difference = column.difference(better.name, worse.name)
            inseparable += difference is None or difference.low <= 0 <= difference.high
    return inseparable, count
