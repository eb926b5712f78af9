"""Brier's score: mean of Σ_c (p_c - 1[c = label])² over the classes, 0 to 2 (Brier 1950); lower is better."""

from __future__ import annotations

import numpy as np

VERSION = 1
TAKES = "classes"
PER_EXAMPLE = True
HIGHER_IS_BETTER = False
RANGE = (0.0, 2.0)


def score(labels: np.ndarray, log_probabilities: np.ndarray) -> float:
    """In [0, 2]. labels: int [n]; log_probabilities: [n, classes]."""
    return float(outcomes(labels, log_probabilities).mean(dtype=np.float64))


def outcomes(labels: np.ndarray, log_probabilities: np.ndarray) -> np.ndarray:
    """The squared distance of each example's probabilities from its label's, float32 [n]."""
    differences = np.exp(log_probabilities.astype(np.float64))
    differences[np.arange(len(labels)), labels] -= 1
    distances: np.ndarray = np.square(differences).sum(axis=-1)
    return distances.astype(np.float32)
