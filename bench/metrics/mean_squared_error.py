"""Mean of (answer − target)²; lower is better."""

from __future__ import annotations

import numpy as np

VERSION = 1
TAKES = "values"
PER_EXAMPLE = True
HIGHER_IS_BETTER = False
RANGE = (0.0, float("inf"))


def score(targets: np.ndarray, answers: np.ndarray) -> float:
    """At least 0. Both: float64 [n]."""
    return float(np.square(answers - targets).mean())


def outcomes(targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Each example's, float32 [n]."""
    found: np.ndarray = np.square(answers - targets)
    return found.astype(np.float32)
