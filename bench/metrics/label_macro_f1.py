"""Unweighted mean over labels of each label's own F1 = 2 TP / (2 TP + FP + FN), 0 for a label never there nor given."""

from __future__ import annotations

import numpy as np

from bench.metrics import micro_f1

VERSION = 1
TAKES = "label-sets"
PER_EXAMPLE = False
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)


def score(targets: np.ndarray, probabilities: np.ndarray) -> float:
    """In [0, 1]. targets: 0 or 1, int [n, labels]; probabilities: [n, labels]."""
    return micro_f1.score(targets, probabilities, average="macro")
