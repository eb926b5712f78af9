"""Expected calibration error: Σ_b n_b/n |accuracy_b - confidence_b| over 15 equally wide bins; lower is better.

An example's confidence is the probability of its likeliest class (Guo et al. 2017); bin b holds those
in (b/15, (b+1)/15].
"""

from __future__ import annotations

import numpy as np

from bench.contracts import Metric

BINS = 15


class CalibrationError(Metric):
    """The expected calibration error."""

    VERSION = 1
    TAKES = "classes"
    HIGHER_IS_BETTER = False
    RANGE = (0.0, 1.0)

    def score(self, targets: np.ndarray, answers: np.ndarray) -> float:
        """In [0, 1]."""
        confidence = np.exp(answers.max(axis=-1).astype(np.float64))
        right = answers.argmax(axis=-1) == targets
        bins = np.minimum(np.ceil(confidence * BINS), BINS).astype(np.int64)  # 1.0000001 is 1
        return float(np.abs(np.bincount(bins, right - confidence)).sum() / len(targets))
