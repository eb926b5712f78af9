"""Mean over classes of TP / (TP + FP + FN), pixels of all images counted together (Everingham et al. 2010).

A class that no pixel has and none is given is left out of the mean; 0 where there is no labelled pixel at all.
"""

from __future__ import annotations

import numpy as np

from bench.contracts import SumsMetric


class MeanIou(SumsMetric):
    """Intersection over union of each class, then their mean."""

    VERSION = 1
    TAKES = "masks"
    RANGE = (0.0, 1.0)

    def sums(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Of every class pixels that are right, and those that have it or are given it, float64 [n, 2 · classes]."""
        counts = np.asarray(answers, dtype=np.float64)
        right = np.diagonal(counts, axis1=1, axis2=2)
        union = counts.sum(axis=2) + counts[:, :, :-1].sum(axis=1) - right
        return np.hstack([right, union])

    def of(self, totals: np.ndarray) -> np.ndarray:
        """In [0, 1]."""
        right, union = np.split(totals, 2, axis=-1)
        there = (union > 0).sum(axis=-1)
        found: np.ndarray = (right / np.maximum(union, 1)).sum(axis=-1) / np.maximum(there, 1)
        return found
