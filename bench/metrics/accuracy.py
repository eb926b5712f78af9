"""Fraction of examples whose likeliest class is their label: mean of 1[argmax = label]."""

from __future__ import annotations

import numpy as np

from bench.contracts import MeanMetric


class Accuracy(MeanMetric):
    """The share of right classes."""

    VERSION = 1
    TAKES = "classes"
    RANGE = (0.0, 1.0)

    def outcomes(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """1 where right, 0 where wrong, float32 [n]."""
        right: np.ndarray = answers.argmax(axis=-1) == targets
        return right.astype(np.float32)
