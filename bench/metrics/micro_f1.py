"""F1 = 2 TP / (2 TP + FP + FN) of all labels of all examples counted together; 0 where none is there and none given."""

from __future__ import annotations

import numpy as np

from bench.contracts import SumsMetric


class MicroF1(SumsMetric):
    """F1 of all labels counted together."""

    VERSION = 1
    TAKES = "label-sets"
    RANGE = (0.0, 1.0)

    def sums(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Of every label whether it is hit, and how often it is there or given, float64 [n, 2 · labels]."""
        there, given = targets == 1, given_labels(answers)
        return np.hstack([there & given, there.astype(np.float64) + given])

    def of(self, totals: np.ndarray) -> np.ndarray:
        """In [0, 1]."""
        hit, counted = (part.sum(axis=-1) for part in np.split(totals, 2, axis=-1))
        found: np.ndarray = 2 * hit / np.maximum(counted, 1)
        return found


def given_labels(probabilities: np.ndarray) -> np.ndarray:
    """Which labels are given: those as likely as not, or likelier; bool of the same shape."""
    found: np.ndarray = probabilities >= 0.5
    return found
