"""Matthews' correlation, (TP·TN - FP·FN) / √((TP+FP)(TP+FN)(TN+FP)(TN+FN)), of label and likeliest class.

That is for two classes. For more its generalisation R_K (Gorodkin 2004); 0 where labels or predictions are all alike.
"""

from __future__ import annotations

import numpy as np

from bench.contracts import SumsMetric


class Matthews(SumsMetric):
    """Matthews' correlation."""

    VERSION = 1
    TAKES = "classes"
    RANGE = (-1.0, 1.0)

    def sums(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """One, whether it is right, and of each of k classes whether it is seen, then named, float64 [n, 2 + 2 k]."""
        classes = np.arange(answers.shape[-1])
        seen, named = targets[:, None] == classes, answers.argmax(axis=-1)[:, None] == classes
        return np.hstack([np.ones((len(targets), 1)), (seen & named).any(axis=-1, keepdims=True), seen, named])

    def of(self, totals: np.ndarray) -> np.ndarray:
        """In [-1, 1]."""
        count, right = totals[..., 0], totals[..., 1]
        seen, named = np.split(totals[..., 2:], 2, axis=-1)
        spread = (count**2 - (seen**2).sum(axis=-1)) * (count**2 - (named**2).sum(axis=-1))
        covariance = count * right - (seen * named).sum(axis=-1)
        found: np.ndarray = np.where(spread > 0.5, covariance / np.sqrt(np.maximum(spread, 1)), 0.0)  # whole numbers
        return found
