"""Matthews' correlation, (TP·TN - FP·FN) / √((TP+FP)(TP+FN)(TN+FP)(TN+FN)), of label and likeliest class.

That is for two classes. For more its generalisation R_K (Gorodkin 2004); 0 where labels or predictions are all alike.
"""

from __future__ import annotations

import numpy as np

from bench.contracts import Metric


class Matthews(Metric):
    """Matthews' correlation."""

    VERSION = 1
    TAKES = "classes"
    RANGE = (-1.0, 1.0)

    def score(self, targets: np.ndarray, answers: np.ndarray) -> float:
        """In [-1, 1]."""
        from sklearn.metrics import matthews_corrcoef

        named = answers.argmax(axis=-1)
        if len(np.unique(targets)) < 2 or len(np.unique(named)) < 2:
            return 0.0  # scikit-learn says so too, with a warning
        return float(matthews_corrcoef(targets, named))
