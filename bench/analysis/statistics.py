"""Intervals and paired differences over seeds and test examples, which are crossed and not nested."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Array = NDArray[np.float64]


class Interval(NamedTuple):
    """A mean with its confidence interval; `low` and `high` are NaN where the data allow none."""

    mean: float
    low: float
    high: float
    seed_sd: float
    n_seeds: int

    @property
    def includes_zero(self) -> bool:
        """Whether 0 is inside; also true where there is no interval, for then nothing is known."""
        return not (self.low > 0 or self.high < 0)


def _interval(mean: float, variance: float, df: float, level: float, seed_sd: float, n_seeds: int) -> Interval:
    half = float(stdtrit(df, 0.5 + level / 2)) * float(np.sqrt(variance))
    return Interval(mean, mean - half, mean + half, seed_sd, n_seeds)


def crossed_interval(outcomes: Array, level: float = 0.95) -> Interval:
    """The interval of a mean over seeds × test examples, both drawn at random.

    `outcomes` is [S seeds, N examples]. Two-way random effects without replication: y_si = μ + a_s + b_i + e_si, so
    Var(mean) = σ²_a/S + σ²_b/N + σ²_e/(S·N), estimated without bias by (MS_seed + MS_example − MS_residual)/(S·N) and
    never taken below what the seeds (MS_seed/(S·N)), the examples or the residual alone give. Degrees of
    freedom after Satterthwaite (1946): (Σ c·MS)² / Σ (c·MS)²/df, at least those of the seeds.
    (Searle, Casella & McCulloch, Variance Components, 1992, ch. 4.)
    With one seed only the examples' sampling variance is in it; with one example only the seeds'.
    """
    seeds, examples = outcomes.shape
    means = outcomes.mean(axis=1)
    if examples == 1:
        return seed_interval(means, level)
    mean = float(means.mean())
    if seeds == 1:
        variance = float(outcomes.var(ddof=1)) / examples
        return _interval(mean, variance, examples - 1, level, float("nan"), 1)
    by_example = outcomes.mean(axis=0)
    residual = outcomes - means[:, None] - by_example[None, :] + mean
    df = np.array([seeds - 1, examples - 1, (seeds - 1) * (examples - 1)], dtype=np.float64)
    sums = [examples * ((means - mean) ** 2).sum(), seeds * ((by_example - mean) ** 2).sum(), (residual**2).sum()]
    squares = np.array(sums) / df
    total = float(max(squares[0] + squares[1] - squares[2], *squares))
    spread = float((squares**2 / df).sum())
    freedom = max(total**2 / spread, seeds - 1) if spread > 0 else seeds - 1
    return _interval(mean, total / (seeds * examples), freedom, level, float(means.std(ddof=1)), seeds)


def seed_interval(values: Array, level: float = 0.95) -> Interval:
    """Student's t interval over seeds ([S]), for metrics that are no mean over examples; none with one seed."""
    mean, n = float(values.mean()), len(values)
    if n == 1:
        return Interval(mean, float("nan"), float("nan"), float("nan"), 1)
    sd = float(values.std(ddof=1))
    return _interval(mean, sd**2 / n, n - 1, level, sd, n)


def paired_difference(a: Array, b: Array, level: float = 0.95) -> Interval:
    """The interval of mean(a − b), by `crossed_interval` on the differences example by example.

    Both are [seeds, examples], with the same seeds and examples in the same order; an array of one row (a regime that
    sees no label and so has no seed) is compared with every row of the other.
    """
    return crossed_interval(a - b, level)
