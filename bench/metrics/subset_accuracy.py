"""Fraction of examples that are given exactly the labels they have."""

from __future__ import annotations

import numpy as np

from bench.contracts import MeanMetric
from bench.metrics.micro_f1 import given_labels


class SubsetAccuracy(MeanMetric):
    """The share of sets of labels that are right as a whole."""

    VERSION = 1
    TAKES = "label-sets"
    RANGE = (0.0, 1.0)

    def outcomes(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """1 where every label is right, else 0, float32 [n]."""
        right: np.ndarray = (given_labels(answers) == (targets == 1)).all(axis=-1)
        return right.astype(np.float32)
