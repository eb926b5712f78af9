"""Intervals of means over seeds and test examples, which are crossed; docs/statistics.md explains them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtri, stdtrit

Array = NDArray[np.float64]

LEVEL = 0.95
PRIOR_DF = 3.0
"""d₀: how many degrees of freedom the pooled seed variance counts for beside a cell's own. Fixed, for it cannot be
estimated from the few cells of one column."""
ENDLESS = 1e9
"""Degrees of freedom from which on Student's t is the normal."""


class Interval(NamedTuple):
    """A mean with its confidence interval; `low` and `high` are NaN where the data allow none."""

    mean: float
    low: float
    high: float


class Components(NamedTuple):
    """A mean over seeds × examples, both drawn at random, taken apart.

    seed_variance: of one seed's mean, the noise of its own examples' answers in it; NaN with one seed.
    example_variance: of one example, that part which all seeds share; with one seed all of it; own_variance: of one
    example, the part that is a seed's own, MS_residual; 0 with one seed.
    """

    mean: float
    seed_variance: float
    example_variance: float
    own_variance: float
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
        return Components(mean, math.nan, shared, 0.0, 1, examples)
    seed_variance = float(means.var(ddof=1))
    if examples == 1:
        return Components(mean, seed_variance, 0.0, 0.0, seeds, 1)
    by_example = values.mean(axis=0)
    residual = values - means[:, None] - by_example[None, :] + mean
    of_examples = seeds * float(by_example.var(ddof=1))
    of_residual = float(np.square(residual).sum()) / ((seeds - 1) * (examples - 1))
    shared = max(of_examples - of_residual, 0.0) / seeds
    return Components(mean, seed_variance, shared, of_residual, seeds, examples)


def moderated(variance: float, df: float, others: Sequence[float], others_df: Sequence[float]) -> tuple[float, float]:
    """A variance drawn towards that of its like, and its degrees of freedom: (d₀ s₀² + d s²)/(d₀ + d) with d₀ + d
    (Smyth 2004); its own where it exceeds s₀² beyond what F at 99 % allows (Phipson et al. 2016).

    s₀² is the mean of the others, each by its degrees of freedom, and d₀ = 3, or what all of them have where that is
    less: one's own variance says nothing of itself.
    """
    known = sum(others_df)
    prior = sum(v * d for v, d in zip(others, others_df, strict=True)) / known if known > 0 else 0.0
    prior_df = min(PRIOR_DF, known)
    if not prior > 0 or not prior_df > 0:
        return variance, df
    if variance / prior > float(fdtri(df, prior_df, 0.99)):
        return variance, df
    return (prior_df * prior + df * variance) / (prior_df + df), prior_df + df


WIDEST_OVERLAP = 0.5
"""Where seeds share more of their labels than this, an interval is one for this pool: what they have in common says too
little of other pools to be made up for."""


class SeedVariance(NamedTuple):
    """Of one seed's mean, with its degrees of freedom. labels: what of it the seeds' labels and order bring; the rest
    is the luck of the test examples, MS_residual/N."""

    variance: float
    df: float
    labels: float

    def of_mean(self, seeds: int, overlap: float) -> tuple[float, float]:
        """The variance of a mean over S seeds whose training sets overlap by o, and its degrees of freedom: s²/S, and
        labels o/(1 − o) (Nadeau & Bengio 2003), for what the shared labels bring is the same in every seed; s²/S
        where they overlap too much to say anything but of this pool."""
        shared = overlap / (1 - overlap) if overlap <= WIDEST_OVERLAP else 0.0
        return self.variance / seeds + self.labels * shared, self.df


def satterthwaite(parts: Sequence[tuple[float, float]]) -> float:
    """The degrees of freedom of a sum of variances, each with its own: (Σ v)²/Σ(v²/df) (Satterthwaite 1946)."""
    spread = sum(variance**2 / df for variance, df in parts if df > 0)
    return sum(variance for variance, _ in parts) ** 2 / spread if spread > 0 else ENDLESS


def quantile(probability: float, df: float) -> float:
    """Student's t, the normal's where the degrees of freedom are endless."""
    return float(stdtrit(min(df, ENDLESS), probability))


class Scale(NamedTuple):
    """The range of a metric, whose ends may be infinite."""

    low: float
    high: float

    @property
    def bounded(self) -> bool:
        """Whether both ends are finite."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def slope(self, score: float) -> float:
        """What one unit on the scale on which variances are alike is worth at a score: p(1 − p) of the range where that
        is finite (the logit's), the score itself where it has but one end (the logarithm's), else 1."""
        if self.bounded:
            part = min(max((score - self.low) / (self.high - self.low), 0.01), 0.99)
            return (self.high - self.low) * part * (1 - part)
        return max(abs(score), 1e-12) if math.isfinite(self.low) or math.isfinite(self.high) else 1.0

    def interval(self, mean: float, parts: Sequence[tuple[float, float]], units: int) -> Interval:
        """The 95 % interval of a mean whose variance has these parts, each with its degrees of freedom.

        Wilson's with n = p(1 − p)/T and Student's t where the range is finite (Korn & Graubard 1998), with n = `units`
        where nothing varies; exp(log θ ± t √T/θ) where it has a lower end that is not below 0; else mean ± t √T.
        """
        variance = sum(part for part, _ in parts)
        t = quantile(0.5 + LEVEL / 2, satterthwaite(parts))
        if self.bounded:
            width = self.high - self.low
            part = min(max((mean - self.low) / width, 0.0), 1.0)
            spread = part * (1 - part)
            count = spread * width**2 / variance if variance > 0 and spread > 1e-9 else float(max(units, 1))
            if variance > 0 or units:
                low, high = _wilson(part, count, t)
                return Interval(mean, min(self.low + width * low, mean), max(self.low + width * high, mean))
        half = t * math.sqrt(variance)
        if math.isfinite(self.low) and self.low >= 0 and mean > 0:
            factor = math.exp(min(half / mean, 700.0))
            return Interval(mean, max(mean / factor, self.low), mean * factor)
        return Interval(mean, mean - half, mean + half)


def _wilson(part: float, count: float, t: float) -> tuple[float, float]:
    """Wilson's interval of a proportion (1927)."""
    weight = t**2 / count
    centre, half = part + weight / 2, t * math.sqrt(part * (1 - part) / count + weight / (4 * count))
    low, high = (centre - half) / (1 + weight), (centre + half) / (1 + weight)
    return min(max(low, 0.0), part), max(min(high, 1.0), part)  # at the ends rounding leaves the mean outside
