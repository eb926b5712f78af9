"""Mean of |answer − target|; lower is better."""

from __future__ import annotations

import math

import numpy as np

from bench.contracts import MeanMetric


class MeanAbsoluteError(MeanMetric):
    """The mean distance of answers from targets."""

    VERSION = 1
    TAKES = "values"
    HIGHER_IS_BETTER = False
    RANGE = (0.0, math.inf)

    def score(self, targets: np.ndarray, answers: np.ndarray) -> float:
        """At least 0: the mean before outcomes are rounded to float32."""
        return float(self.errors(targets, answers).mean())

    def outcomes(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Each example's error, float32 [n]."""
        return self.errors(targets, answers).astype(np.float32)

    def errors(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Each example's error, float64 [n]."""
        found: np.ndarray = np.abs(answers - targets)
        return found
