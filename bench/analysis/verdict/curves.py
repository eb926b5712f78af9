"""Learning curves: err = a + b n^−c, from three sizes on, and what they say of sizes not run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.analysis.column import Column, Floats
from bench.analysis.verdict.between import labels

FEWEST = 3
"""Sizes that a curve of three parameters needs."""
BEYOND = 2.0
"""Times the largest size: farther nothing is said."""
DRAWS = 200
LEVEL = 0.95
EXPONENTS = np.geomspace(0.02, 3.0, 200)
"""All of them are tried, so that the fit depends on no start."""
SEED = 1_993


@dataclass(frozen=True)
class Curve:
    """err(n) = a + b n^−c of one regime, as score = top − err (or score = err where lower is better).

    draws: [D, 3] of a, b, c from the bootstrap; best: the score that no error would be.
    """

    name: str
    a: float
    b: float
    c: float
    draws: Floats
    top: float
    lower_is_better: bool
    largest: float

    def score(self, size: float) -> tuple[float, float, float]:
        """The mean score at a size with its 95 % interval. Raises ValueError beyond twice the largest size run."""
        if size > BEYOND * self.largest * (1 + 1e-9):
            raise ValueError(f"{size:g} is more than twice the largest size run ({self.largest:g})")
        errors = self.draws[:, 0] + self.draws[:, 1] * size ** -self.draws[:, 2]
        tail = (1 - LEVEL) / 2
        low, high = np.quantile(errors, [tail, 1 - tail])
        mean = self.a + self.b * size**-self.c
        if self.lower_is_better:
            return mean, float(low), float(high)
        return self.top - mean, self.top - float(high), self.top - float(low)


def fit(sizes: Sequence[float], errors: Floats, weights: Floats) -> Floats:
    """The weighted least squares of err = a + b n^−c with a ≥ 0 and b ≥ 0, c of `EXPONENTS`.

    errors: [D, sizes], fitted row by row; weights: [sizes], inverse standard errors. Returns [D, 3] of a, b, c. Raises
    ValueError below three sizes.
    """
    if len(sizes) < FEWEST:
        raise ValueError(f"a curve needs {FEWEST} sizes, there are {len(sizes)}")
    grid = np.asarray(sizes, dtype=np.float64)
    w = weights**2 / np.sum(weights**2)
    falls = (grid / grid[0]) ** -EXPONENTS[:, None]  # [C, sizes]
    # for each exponent the problem is linear in a and b: solved in the plane, then on the two edges a = 0 and b = 0
    mean_x, mean_y = falls @ w, errors @ w
    xx, yx = (falls**2) @ w, (errors * w) @ falls.T  # [C], [D, C]
    inner = (yx - mean_y[:, None] * mean_x) / np.maximum(xx - mean_x**2, 1e-300)
    b = np.where(inner > 0, inner, 0.0)
    a = mean_y[:, None] - b * mean_x
    edge = a < 0
    b = np.where(edge, np.maximum(yx / xx, 0.0), b)
    a = np.where(edge, 0.0, a)
    # the sum of squares, less the part that no parameter changes
    rest = a**2 + 2 * a * b * mean_x + b**2 * xx - 2 * a * mean_y[:, None] - 2 * b * yx
    best = rest.argmin(axis=1)
    rows = np.arange(len(errors))
    c = EXPONENTS[best]
    return np.stack([a[rows, best], b[rows, best] * grid[0] ** c, c], axis=1)


def curve(columns: Sequence[Column], name: str) -> Curve | None:
    """The curve of one regime over the sizes of one task, model, noise rate and environment.

    The bootstrap draws each seed's whole curve anew: normal around the means, with the covariance that the seeds show
    between sizes, divided by their number, and the test examples' part. None below three sizes, with one seed, where
    the metric can be below nothing, or where the regime sees no labels.
    """
    ordered = sorted((c for c in columns if labels(c) > 0), key=labels)
    found = [(c, one) for c in ordered for one in c.candidates if one.name == name and one.labelled]
    if len(found) < FEWEST or min(len(one.seeds) for _, one in found) < 2:
        return None
    column = found[0][0]
    top = 0.0 if column.lower_is_better else column.range[1]
    if not math.isfinite(top) or (column.lower_is_better and column.range[0] < 0):
        return None
    sizes = [labels(c) for c, _ in found]
    sign = 1.0 if column.lower_is_better else -1.0
    means = np.array([top + sign * one.scores.mean() for _, one in found])
    spread = _covariance(found)
    weights = 1 / np.sqrt(np.maximum(np.diag(spread), 1e-12))
    a, b, c = map(float, fit(sizes, means[None], weights)[0])
    random = np.random.default_rng(SEED)
    values, vectors = np.linalg.eigh(spread)
    noise = random.standard_normal((DRAWS, len(sizes))) @ (vectors * np.sqrt(np.clip(values, 0, None))).T
    draws = fit(sizes, np.maximum(means + noise, 0), weights)
    return Curve(name, a, b, c, draws, top, column.lower_is_better, sizes[-1])


def _covariance(found: Sequence[tuple[Column, object]]) -> Floats:
    """[sizes, sizes] of the means: over the seeds that all sizes have, and the test examples, which all sizes share."""
    ones = [next(one for one in column.candidates if one is candidate) for column, candidate in found]
    common = sorted(set.intersection(*(set(one.seeds) for one in ones)))
    size = len(ones)
    if len(common) > 1:
        scores = np.stack([one.scores[[one.seeds.index(seed) for seed in common]] for one in ones])
        pooled = float(np.var(scores, axis=1, ddof=1).mean())
        own = np.var(scores, axis=1, ddof=1)
        seeds = np.diag((pooled + (len(common) - 1) * own) / len(common) / len(common))
    else:
        seeds = np.diag([float(one.scores.var(ddof=1)) / len(one.scores) for one in ones])
    by_example = [None if one.units is None else one.units.mean(axis=0) for one in ones]
    known = [one for one in by_example if one is not None]
    if len(known) == size and len({len(one) for one in known}) == 1 and len(known[0]) > 1:
        return np.asarray(seeds + np.cov(np.stack(known)) / len(known[0]), dtype=np.float64)
    return np.asarray(seeds, dtype=np.float64)
