"""Spearman's rank correlation of targets and answers, ties at their mean rank; 0 where one side is all alike."""

from __future__ import annotations

import numpy as np

from bench.metrics.pearson import Pearson


class Spearman(Pearson):
    """Spearman's correlation, which is Pearson's of ranks."""

    def correlation(self, targets: np.ndarray, answers: np.ndarray) -> float:
        """Of two sides neither of which is all alike."""
        from scipy.stats import spearmanr

        return float(spearmanr(targets, answers).statistic)
