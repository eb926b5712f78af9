"""Matthews' correlation, (TP·TN - FP·FN) / √((TP+FP)(TP+FN)(TN+FP)(TN+FN)), of label and likeliest class.

That is for two classes. For more its generalisation R_K (Gorodkin 2004); 0 where labels or predictions are all alike.
"""

from __future__ import annotations

import numpy as np

VERSION = 1
TAKES = "classes"
PER_EXAMPLE = False
HIGHER_IS_BETTER = True
RANGE = (-1.0, 1.0)


def score(labels: np.ndarray, log_probabilities: np.ndarray) -> float:
    """In [-1, 1]. labels: int [n]; log_probabilities: [n, classes]."""
    from sklearn.metrics import matthews_corrcoef

    answers = log_probabilities.argmax(axis=-1)
    if len(np.unique(labels)) < 2 or len(np.unique(answers)) < 2:
        return 0.0  # scikit-learn says so too, with a warning
    return float(matthews_corrcoef(labels, answers))
