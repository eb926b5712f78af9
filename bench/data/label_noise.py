"""Wrong labels, as a careless annotator would leave them: a nested mask, uniform over the other classes."""

from __future__ import annotations

import numpy as np

from bench.data.seeding import ranks, stream


def corrupt(labels: np.ndarray, indices: np.ndarray, rate: float, classes: int, seed: int) -> np.ndarray:
    """Return the labels of `indices` with exactly `round(rate * len(indices))` of them wrong, int64 [len(indices)].

    labels: int64 [pool], clean. For one seed and one set of indices a higher rate's mask contains a lower one's and
    gives the same wrong labels: both are drawn per example of the pool, before the rate is looked at.
    """
    clean: np.ndarray = labels[indices]
    first = _first(len(labels), indices, rate, seed)
    shift = np.random.Generator(np.random.PCG64(stream(seed, "noise-class"))).integers(1, classes, size=len(labels))
    noisy: np.ndarray = clean.copy()
    noisy[first] = (clean[first] + shift[indices][first]) % classes
    return noisy


def mismatch(targets: np.ndarray, indices: np.ndarray, rate: float, seed: int) -> np.ndarray:
    """Return the rows of the pool whose targets `indices` get, int64 [len(indices)]: their own, but for exactly
    `round(rate * len(indices))` of them that of a row with another target, each such row as likely as any. Nested over
    rates, as `corrupt`.

    targets: int64 [pool], equal where targets are. Where all are equal, none can be wrong.
    """
    pool = len(targets)
    rows: np.ndarray = indices.astype(np.int64)
    first = _first(pool, indices, rate, seed)
    order = np.argsort(targets, kind="stable")
    kinds, begin, count = np.unique(targets[order], return_index=True, return_counts=True)
    if len(first) == 0 or len(kinds) < 2:
        return rows
    kind = np.searchsorted(kinds, targets[indices[first]])
    shares = np.random.Generator(np.random.PCG64(stream(seed, "noise-row"))).random(pool)[indices[first]]
    place = (shares * (pool - count[kind])).astype(np.int64)  # among the rows of other kinds, in their order
    rows[first] = order[np.where(place < begin[kind], place, place + count[kind])]
    return rows


def _first(pool: int, indices: np.ndarray, rate: float, seed: int) -> np.ndarray:
    """Positions of the indices that get a wrong label."""
    return np.argsort(ranks(seed, "noise", pool)[indices], kind="stable")[: round(rate * len(indices))]
