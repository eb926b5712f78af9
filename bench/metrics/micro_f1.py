"""F1 = 2 TP / (2 TP + FP + FN) of all labels of all examples counted together; 0 where none is there and none given."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from bench.contracts import Metric


class MicroF1(Metric):
    """F1 of all labels counted together."""

    VERSION = 1
    TAKES = "label-sets"
    RANGE = (0.0, 1.0)
    AVERAGE: ClassVar[str] = "micro"
    """Scikit-learn's word for it."""

    def score(self, targets: np.ndarray, answers: np.ndarray) -> float:
        """In [0, 1]."""
        from sklearn.metrics import f1_score

        labels, given = range(targets.shape[1]), given_labels(answers).astype(int)
        return float(f1_score(targets, given, labels=labels, average=self.AVERAGE, zero_division=0))


def given_labels(probabilities: np.ndarray) -> np.ndarray:
    """Which labels are given: those as likely as not, or likelier; bool of the same shape."""
    found: np.ndarray = probabilities >= 0.5
    return found
