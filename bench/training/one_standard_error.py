"""Which of several values of a hyperparameter is chosen: the one nearest to the default of those that are as good as
the best within one standard error (after Breiman et al. 1984). Imports nothing heavy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

STEP = math.sqrt(10)
"""How many times as large a value is as the one before."""


class Outcome(NamedTuple):
    """How a trial did on its held-out labels: larger is better. parts: whose mean that is, or about
    (`bench.training.validation_parts`); empty where they are not known."""

    score: float
    parts: np.ndarray


def choose(values: Sequence[float], start: float, outcomes: Sequence[Sequence[Outcome | None]]) -> tuple[int, bool]:
    """The index of the chosen value, and whether it is on the edge by more than one standard error: the outermost of
    the values, which increase, and its neighbour not among those as good as the best.

    start: the default, near to which is meant by ratio. outcomes: [value][seed], None where a trial failed: a value
    counts where all its seeds have one. Where none does, the value nearest to the default is chosen.
    """
    whole = {i: [one for one in of if one is not None] for i, of in enumerate(outcomes)}
    means = {i: math.fsum(one.score for one in of) / len(of) for i, of in whole.items() if len(of) == len(outcomes[i])}

    def distance(i: int) -> float:
        return round(abs(math.log(values[i] / start)), 3)

    if not means:
        return min(range(len(values)), key=distance), False
    best = max(means, key=lambda i: (means[i], -distance(i)))
    near = {i for i, mean in means.items() if i == best or means[best] - mean <= _error(whole[best], whole[i])}
    chosen = min(near, key=lambda i: (distance(i), -means[i]))
    neighbour = {0: 1, len(values) - 1: len(values) - 2}.get(chosen)
    return chosen, neighbour is not None and 0 <= neighbour < len(values) and neighbour not in near


def _error(best: Sequence[Outcome], other: Sequence[Outcome]) -> float:
    """The standard error of the difference of two values' means over seeds, paired over parts of the held-out labels;
    no more than rounding where it is not known."""
    variance = 0.0
    for one, two in zip(best, other, strict=True):
        if len(one.parts) == len(two.parts) and len(one.parts) > 1:
            variance += float(np.var(one.parts - two.parts, ddof=1)) / len(one.parts)
    return math.sqrt(variance) / len(best) + 1e-9
