"""Brier's score: mean of Σ_c (p_c - 1[c = label])² over the classes, 0 to 2 (Brier 1950); lower is better."""

from __future__ import annotations

import numpy as np

from bench.contracts import MeanMetric


class Brier(MeanMetric):
    """Brier's score."""

    VERSION = 1
    TAKES = "classes"
    HIGHER_IS_BETTER = False
    RANGE = (0.0, 2.0)

    def outcomes(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """The squared distance of each example's probabilities from its label's, float32 [n]."""
        differences = np.exp(answers.astype(np.float64))
        differences[np.arange(len(targets)), targets] -= 1
        distances: np.ndarray = np.square(differences).sum(axis=-1)
        return distances.astype(np.float32)
