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

    def influence(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """u v − r (u² + v²)/2 of the standardised sides; 0 where one side is all alike."""
        if np.ptp(targets) == 0 or np.ptp(answers) == 0:
            return np.zeros(len(targets))
        u, v = ((side - side.mean()) / side.std() for side in (targets, answers))
        found: np.ndarray = u * v - float((u * v).mean()) * (u**2 + v**2) / 2
        return found

    def correlation(self, targets: np.ndarray, answers: np.ndarray) -> float:
        """Of two sides neither of which is all alike."""
        from scipy.stats import NearConstantInputWarning, pearsonr

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NearConstantInputWarning)
            return float(pearsonr(targets, answers).statistic)
