"""F1 = 2 TP / (2 TP + FP + FN) of all labels of all examples counted together; 0 where none is there and none given."""

from __future__ import annotations

import numpy as np

from bench.metrics import given

VERSION = 1
TAKES = "label-sets"
PER_EXAMPLE = False
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)


def score(targets: np.ndarray, probabilities: np.ndarray, average: str = "micro") -> float:
    """In [0, 1]. targets: 0 or 1, int [n, labels]; probabilities: [n, labels]. average: scikit-learn's word for it."""
    from sklearn.metrics import f1_score

    labels = range(targets.shape[1])
    answers = given(probabilities).astype(int)
    return float(f1_score(targets, answers, labels=labels, average=average, zero_division=0))
