"""Pearson's correlation of targets and answers, cov / (σ σ'); 0 where one side is all alike."""

from __future__ import annotations

import warnings

import numpy as np

from bench.contracts import Metric


class Pearson(Metric):
    """Pearson's correlation."""

    VERSION = 1
    TAKES = "values"
    RANGE = (-1.0, 1.0)

    def score(self, targets: np.ndarray, answers: np.ndarray) -> float:
        """In [-1, 1]."""
        if np.ptp(targets) == 0 or np.ptp(answers) == 0:
            return 0.0  # SciPy says NaN, with a warning
        return self.correlation(targets, answers)

    def correlation(self, targets: np.ndarray, answers: np.ndarray) -> float:
        """Of two sides neither of which is all alike."""
        from scipy.stats import NearConstantInputWarning, pearsonr

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NearConstantInputWarning)
            return float(pearsonr(targets, answers).statistic)
