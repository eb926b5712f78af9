"""Fraction of examples whose likeliest class is their label: mean of 1[argmax = label]."""

from __future__ import annotations

import numpy as np

VERSION = 1
TAKES = "classes"
PER_EXAMPLE = True
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)


def score(labels: np.ndarray, log_probabilities: np.ndarray) -> float:
    """In [0, 1]. labels: int [n]; log_probabilities: [n, classes]."""
    return float(outcomes(labels, log_probabilities).mean(dtype=np.float64))


def outcomes(labels: np.ndarray, log_probabilities: np.ndarray) -> np.ndarray:
    """1 where right, 0 where wrong, float32 [n]."""
    right: np.ndarray = log_probabilities.argmax(axis=-1) == labels
    return right.astype(np.float32)
