"""Unweighted mean over all the task's classes of F1 = 2 TP / (2 TP + FP + FN), 0 for a class never seen nor named."""

from __future__ import annotations

import numpy as np

from bench.contracts import SumsMetric


class MacroF1(SumsMetric):
    """F1 of each class, then their mean."""

    VERSION = 1
    TAKES = "classes"
    RANGE = (0.0, 1.0)

    def sums(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Of every class whether it is hit, and how often it is seen or named, float64 [n, 2 · classes]."""
        classes = np.arange(answers.shape[-1])
        seen, named = targets[:, None] == classes, answers.argmax(axis=-1)[:, None] == classes
        return np.hstack([seen & named, seen.astype(np.float64) + named])

    def of(self, totals: np.ndarray) -> np.ndarray:
        """In [0, 1]."""
        hit, counted = np.split(totals, 2, axis=-1)
        found: np.ndarray = (2 * hit / np.maximum(counted, 1)).mean(axis=-1)
        return found
