"""Fraction of examples that are given exactly the labels they have."""

from __future__ import annotations

import numpy as np

from bench.metrics import given

VERSION = 1
TAKES = "label-sets"
PER_EXAMPLE = True
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)


def score(targets: np.ndarray, probabilities: np.ndarray) -> float:
    """In [0, 1]. targets: 0 or 1, int [n, labels]; probabilities: [n, labels]."""
    return float(outcomes(targets, probabilities).mean(dtype=np.float64))


def outcomes(targets: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """1 where every label is right, else 0, float32 [n]."""
    right: np.ndarray = (given(probabilities) == (targets == 1)).all(axis=-1)
    return right.astype(np.float32)
