"""Intervals and paired differences over seeds and test examples, which are crossed and not nested."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtri, stdtrit

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


PRIOR_DF = 3.0
"""d₀: how many degrees of freedom the pooled seed variance counts for beside a cell's own. Fixed, for it cannot be
estimated from the few cells of one column."""


class Components(NamedTuple):
    """A mean over seeds × examples, both drawn at random, taken apart.

    seed_variance: of one seed's mean, the noise of its own examples' answers in it; NaN with one seed.
    example_variance: of one example, that part which all seeds share; with one seed all of it.
    """

    mean: float
    seed_variance: float
    example_variance: float
    seeds: int
    examples: int


def components(values: Array) -> Components:
    """The components of [S seeds, N examples] (Searle, Casella & McCulloch, Variance Components, 1992, ch. 4): with
    y_si = μ + a_s + b_i + e_si, s² = σ²_a + σ²_e/N and σ²_b = max(MS_examples − MS_residual, 0)/S."""
    seeds, examples = values.shape
    means = values.mean(axis=1)
    mean = float(means.mean())
    if seeds == 1:
        shared = float(values.var(ddof=1)) if examples > 1 else 0.0
        return Components(mean, float("nan"), shared, 1, examples)
    seed_variance = float(means.var(ddof=1))
    if examples == 1:
        return Components(mean, seed_variance, 0.0, seeds, 1)
    by_example = values.mean(axis=0)
    residual = values - means[:, None] - by_example[None, :] + mean
    of_examples = seeds * float(by_example.var(ddof=1))
    of_residual = float(np.square(residual).sum()) / ((seeds - 1) * (examples - 1))
    return Components(mean, seed_variance, max(of_examples - of_residual, 0.0) / seeds, seeds, examples)


def moderated(variance: float, df: float, prior: float, prior_df: float = PRIOR_DF) -> tuple[float, float]:
    """A variance drawn towards that of its like, and its degrees of freedom: (d₀ s₀² + d s²)/(d₀ + d) with d₀ + d
    (Smyth 2004); its own where it exceeds the prior beyond what F at 99 % allows (Phipson et al. 2016)."""
    if not prior > 0:
        return variance, df
    if not df > 0:
        return prior, prior_df
    if variance / prior > float(fdtri(df, prior_df, 0.99)):
        return variance, df
    return (prior_df * prior + df * variance) / (prior_df + df), prior_df + df


def satterthwaite(parts: Sequence[tuple[float, float]]) -> float:
    """The degrees of freedom of a sum of variances, each with its own: (Σ v)²/Σ(v²/df) (Satterthwaite 1946)."""
    spread = sum(variance**2 / df for variance, df in parts if df > 0)
    return sum(variance for variance, _ in parts) ** 2 / spread if spread > 0 else float("inf")
