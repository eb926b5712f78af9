"""Mean of (answer − target)²; lower is better."""

from __future__ import annotations

import numpy as np

from bench.metrics.mean_absolute_error import MeanAbsoluteError


class MeanSquaredError(MeanAbsoluteError):
    """The mean square of that distance."""

    def errors(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Each example's squared error, float64 [n]."""
        found: np.ndarray = np.square(answers - targets)
        return found
