"""What is compared: a regime or a baseline at one place, and how much better one is than another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bench.analysis.statistics import quantile

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Candidate:
    """One regime, or one baseline, at one place.

    labelled: whether it saw labels; else it has one score, whatever the seed. scores: [S], as recorded, in the metric's
    unit, without failed seeds; values: pseudo-values [S, N], whose mean over N is the score, None where there are no
    predictions to use; examples: [N]; clusters: [N], None where every example is its own; failed: seeds that failed or
    diverged; degenerate: seeds whose answers are constant; overlap: the part of its labels that a seed shares with
    another's, where all are drawn from one pool; complete: whether every seed that others have was tried.
    """

    name: str
    kind: str
    labelled: bool
    seeds: tuple[int, ...]
    scores: Floats
    values: Floats | None
    examples: NDArray[np.int64] | None
    clusters: NDArray[np.int64] | None = None
    failed: int = 0
    degenerate: int = 0
    overlap: float = 0.0
    complete: bool = True

    @cached_property
    def mean(self) -> float:
        """The mean over seeds, in the metric's unit."""
        return float(self.scores.mean())

    @cached_property
    def units(self) -> Floats | None:
        """The values by what was drawn at random, [S, clusters or N]: where examples come in clusters, each cluster's
        share of the mean's deviation (Miller 2024, arXiv 2411.00640)."""
        if self.values is None or self.clusters is None:
            return self.values
        return clustered(self.values, self.clusters)


def clustered(values: Floats, clusters: NDArray[np.int64]) -> Floats:
    """[S, N] → [S, C]: θ_s + C/N Σ over a cluster of (y_si − θ_s), of which the mean is θ_s and the variance over C is
    the cluster-robust variance of θ_s."""
    _, place = np.unique(clusters, return_inverse=True)
    count = int(place.max()) + 1
    means = values.mean(axis=1, keepdims=True)
    sums = np.zeros((count, len(values)))
    np.add.at(sums, place, (values - means).T)
    found: Floats = means + sums.T * (count / values.shape[1])
    return found


@dataclass(frozen=True)
class Difference:
    """How much better one candidate is than another, in the metric's unit: positive where the first is better.

    low, high: the 95 % interval; seed_variance: of one seed's difference, drawn towards those of the column's other
    pairs, with its degrees of freedom seed_df, of which S − 1 are its own; example_variance: of one example's
    difference, as far as all seeds share it, 0 where examples are unknown; seeds, examples: S and N (clusters, where
    there are any).
    """

    mean: float
    se: float
    df: float
    low: float
    high: float
    seed_variance: float
    seed_df: float
    example_variance: float
    seeds: int
    examples: int

    @property
    def reversed(self) -> Difference:
        """How much better the other is."""
        return replace(self, mean=-self.mean, low=-self.high, high=-self.low)

    def beyond(self, margin: float, alpha: float) -> bool:
        """Whether it is above a margin, one-sided at this level."""
        return self.mean - margin > quantile(1 - alpha, self.df) * self.se
