"""Expected calibration error: Σ_b n_b/n |accuracy_b - confidence_b| over 15 equally wide bins; lower is better.

An example's confidence is the probability of its likeliest class (Guo et al. 2017); bin b holds those
in (b/15, (b+1)/15].
"""

from __future__ import annotations

import numpy as np

from bench.contracts import SumsMetric

BINS = 15


class CalibrationError(SumsMetric):
    """The expected calibration error."""

    VERSION = 1
    TAKES = "classes"
    HIGHER_IS_BETTER = False
    RANGE = (0.0, 1.0)

    def sums(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """One, and accuracy minus confidence in the place of the example's bin, float64 [n, 1 + bins]."""
        confidence = np.exp(answers.max(axis=-1).astype(np.float64))
        right = answers.argmax(axis=-1) == targets
        bins = np.minimum(np.ceil(confidence * BINS), BINS).astype(np.int64)  # 1.0000001 is 1
        found = np.zeros((len(targets), 1 + BINS))
        found[:, 0] = 1
        found[np.arange(len(targets)), np.maximum(bins, 1)] = right - confidence
        return found

    def of(self, totals: np.ndarray) -> np.ndarray:
        """In [0, 1]."""
        found: np.ndarray = np.abs(totals[..., 1:]).sum(axis=-1) / np.maximum(totals[..., 0], 1)
        return found
