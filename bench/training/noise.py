"""Wrong labels, as a careless annotator would leave them: a nested mask, uniform over the other classes."""

from __future__ import annotations

import numpy as np

from bench.training.seeding import ranks, stream


def corrupt(labels: np.ndarray, indices: np.ndarray, rate: float, classes: int, seed: int) -> np.ndarray:
    """Return the labels of `indices` with exactly `round(rate * len(indices))` of them wrong, int64 [len(indices)].

    labels: int64 [pool], clean. For one seed and one set of indices a higher rate's mask contains a lower one's and
    gives the same wrong labels: both are drawn per example of the pool, before the rate is looked at.
    """
    clean: np.ndarray = labels[indices]
    first = np.argsort(ranks(seed, "noise", len(labels))[indices], kind="stable")[: round(rate * len(indices))]
    shift = np.random.Generator(np.random.PCG64(stream(seed, "noise-class"))).integers(1, classes, size=len(labels))
    noisy: np.ndarray = clean.copy()
    noisy[first] = (clean[first] + shift[indices][first]) % classes
    return noisy
