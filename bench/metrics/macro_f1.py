"""Unweighted mean over all the task's classes of F1 = 2 TP / (2 TP + FP + FN), 0 for a class never seen nor named."""

from __future__ import annotations

import numpy as np

from bench.contracts import Metric


class MacroF1(Metric):
    """F1 of each class, then their mean."""

    VERSION = 1
    TAKES = "classes"
    RANGE = (0.0, 1.0)

    def score(self, targets: np.ndarray, answers: np.ndarray) -> float:
        """In [0, 1]."""
        from sklearn.metrics import f1_score

        classes = range(answers.shape[-1])
        return float(f1_score(targets, answers.argmax(axis=-1), labels=classes, average="macro", zero_division=0))
