"""How likely a choice is right, and what it costs where it is not: from joint draws of the true means."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.analysis.column import Column

DRAWS = 10_000
SEED = 20_260
"""Of the draws: identical records give identical reports."""


class Confidence(NamedTuple):
    """right: the probability that the true mean is within the tolerance of the best; regret: the mean shortfall to the
    best, in the metric's unit, over the draws in which it is not; NaN where there is no such draw."""

    right: float
    regret: float


def confidences(column: Column) -> dict[str, Confidence]:
    """Of each candidate of a column; NaN where no draws can be had."""
    names = [one.name for one in column.candidates]
    draws = column.draws(DRAWS, SEED)
    short: NDArray[np.float64] = draws.max(axis=1, keepdims=True) - draws
    found = {}
    for name, own in zip(names, short.T, strict=True):
        if not np.isfinite(own).all():
            found[name] = Confidence(float("nan"), float("nan"))
            continue
        wrong = own[own > column.tolerance]
        found[name] = Confidence(1 - len(wrong) / len(own), float(wrong.mean()) if len(wrong) else float("nan"))
    return found
