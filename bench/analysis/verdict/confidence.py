"""How likely a choice is right, and what it costs where it is not: from joint draws of the true means."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bench.analysis.column import Column, Floats

DRAWS = 10_000
SEED = 20_260
"""Of the draws: identical records give identical reports."""


class Confidence(NamedTuple):
    """right: the probability that the true mean is within the tolerance of the best; regret: the mean shortfall to the
    best, in the metric's unit, where it is not; NaN where that never was drawn."""

    right: float
    regret: float


def confidences(column: Column) -> dict[str, Confidence]:
    """Of each candidate of a column; NaN where no draws can be had.

    Draws of what the scores alone say are right too often of a choice that was made because it is cheap, where what is
    cheap is mostly worse. So each counts by a prior under which the best of the others leads by about the tolerance,
    more or less: Cauchy's, with the tolerance for its median and its scale, which what is far from it does not feel.
    """
    names, margin = [one.name for one in column.candidates], column.tolerance
    draws = column.draws(DRAWS, SEED)
    found = {}
    for place, name in enumerate(names):
        lead: Floats = np.delete(draws, place, axis=1).max(axis=1, initial=-np.inf) - draws[:, place]
        wrong = lead > margin
        if len(names) > 1 and not np.isfinite(lead).all():
            found[name] = Confidence(float("nan"), float("nan"))
        elif not wrong.any():
            found[name] = Confidence(1.0, float("nan"))
        else:
            weights = margin**2 / (margin**2 + (lead - margin) ** 2) if margin > 0 else np.ones(len(lead))
            lost = float(np.average(lead[wrong], weights=weights[wrong]))
            found[name] = Confidence(float(weights[~wrong].sum() / weights.sum()), lost)
    return found
