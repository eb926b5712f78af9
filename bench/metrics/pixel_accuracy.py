"""Fraction of labelled pixels, of all images together, that are given their class; 0 where no pixel is labelled."""

from __future__ import annotations

import numpy as np

from bench.contracts import SumsMetric


class PixelAccuracy(SumsMetric):
    """The share of right pixels."""

    VERSION = 1
    TAKES = "masks"
    RANGE = (0.0, 1.0)

    def sums(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Pixels that are right, and labelled ones, float64 [n, 2]."""
        counts = np.asarray(answers, dtype=np.float64)
        return np.stack([np.trace(counts, axis1=1, axis2=2), counts.sum(axis=(1, 2))], axis=1)

    def of(self, totals: np.ndarray) -> np.ndarray:
        """In [0, 1]."""
        found: np.ndarray = totals[..., 0] / np.maximum(totals[..., 1], 1)
        return found
