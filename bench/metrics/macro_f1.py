"""Unweighted mean over all the task's classes of F1 = 2 TP / (2 TP + FP + FN), 0 for a class never seen nor named."""

from __future__ import annotations

import numpy as np

VERSION = 1
TAKES = "classes"
PER_EXAMPLE = False
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)


def score(labels: np.ndarray, log_probabilities: np.ndarray) -> float:
    """In [0, 1]. labels: int [n]; log_probabilities: [n, classes]."""
    from sklearn.metrics import f1_score

    classes = range(log_probabilities.shape[-1])
    return float(f1_score(labels, log_probabilities.argmax(axis=-1), labels=classes, average="macro", zero_division=0))
