"""Pseudo-values: one number an example whose mean is the score and whose variance over examples is the score's.

θ + IF_i, the influence of example i on the score θ (Efron 1982). A metric that is a mean or a function of sums knows
it; for any other it is found by leaving out one of 40 groups of examples at a time (Kott 1998): one number a group.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.contracts import Metric, SumsMetric

GROUPS = 40
"""Each costs a scoring of the other examples; 39 degrees of freedom widen an interval by 3 %."""


class PseudoValues(NamedTuple):
    """values: float64 [n]; groups: int64 [n], those that were left out together and share one value, None where every
    example has its own."""

    values: NDArray[np.float64]
    groups: NDArray[np.int64] | None


def pseudo_values(
    metric: Metric, targets: Any, answers: Any, together: NDArray[np.int64] | None = None
) -> PseudoValues:
    """Those of n answers. together: int64 [n], clusters of examples that are not to be torn apart.

    targets, answers: as the metric takes them; lists or arrays with a first axis of n, or None.
    """
    count = len(answers)
    if isinstance(metric, SumsMetric):  # counted once, for counting n-grams takes long
        sums = metric.sums(targets, answers)
        score = float(metric.of(sums.sum(axis=0)))
        return PseudoValues(np.full(1, score) if count == 1 else score + metric.influence_of(sums), None)
    score = float(metric.score(targets, answers))
    if count == 1:
        return PseudoValues(np.array([score]), None)
    influence = metric.influence(targets, answers)
    if influence is not None:
        return PseudoValues(score + np.asarray(influence, dtype=np.float64), None)
    groups = drawn_groups(count, together)
    values = _without_groups(metric, targets, answers, groups, score)
    return PseudoValues(values, groups)


def drawn_groups(count: int, together: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """A group for each of n examples, int64 [n], the same in every trial: as many or one more in each, at random, for
    neighbours in a file may be alike."""
    place = np.arange(count) if together is None else np.unique(together, return_inverse=True)[1]
    units = int(place.max()) + 1
    order = np.random.default_rng(units).permutation(units)
    found: NDArray[np.int64] = (order % min(GROUPS, units))[place].astype(np.int64)
    return found


def _without_groups(
    metric: Metric, targets: Any, answers: Any, groups: NDArray[np.int64], score: float
) -> NDArray[np.float64]:
    """[n]: of every example its group's pseudo-value, G θ − (G − 1) θ without it, moved so that their mean is θ."""
    count = int(groups.max()) + 1
    if count == 1:
        return np.full(len(groups), score)
    left = []
    for group in range(count):
        rest = np.flatnonzero(groups != group)
        left.append(float(metric.score(_taken(targets, rest), _taken(answers, rest))))
    values = count * score - (count - 1) * np.array(left)
    found: NDArray[np.float64] = values[groups]
    found += score - found.mean()
    return found


def _taken(whole: Any, rows: NDArray[np.int64]) -> Any:
    if whole is None or isinstance(whole, np.ndarray):
        return None if whole is None else whole[rows]
    return [whole[row] for row in rows.tolist()]
