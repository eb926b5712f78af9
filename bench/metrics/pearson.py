"""Pearson's correlation of targets and answers, cov / (σ σ'); 0 where one side is all alike."""

from __future__ import annotations

import warnings

import numpy as np

VERSION = 1
TAKES = "values"
PER_EXAMPLE = False
HIGHER_IS_BETTER = True
RANGE = (-1.0, 1.0)


def score(targets: np.ndarray, answers: np.ndarray) -> float:
    """In [-1, 1]. Both: float64 [n]."""
    from scipy.stats import NearConstantInputWarning, pearsonr

    if np.ptp(targets) == 0 or np.ptp(answers) == 0:
        return 0.0  # SciPy says NaN, with a warning
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NearConstantInputWarning)
        return float(pearsonr(targets, answers).statistic)
