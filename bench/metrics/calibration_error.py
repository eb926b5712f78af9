"""Expected calibration error: Σ_b n_b/n |accuracy_b - confidence_b| over 15 equally wide bins; lower is better.

An example's confidence is the probability of its likeliest class (Guo et al. 2017); bin b holds those
in (b/15, (b+1)/15].
"""

from __future__ import annotations

import numpy as np

VERSION = 1
TAKES = "classes"
PER_EXAMPLE = False
HIGHER_IS_BETTER = False
RANGE = (0.0, 1.0)
BINS = 15


def score(labels: np.ndarray, log_probabilities: np.ndarray) -> float:
    """In [0, 1]. labels: int [n]; log_probabilities: [n, classes]."""
    confidence = np.exp(log_probabilities.max(axis=-1).astype(np.float64))
    right = log_probabilities.argmax(axis=-1) == labels
    bins = np.minimum(np.ceil(confidence * BINS), BINS).astype(np.int64)  # 1.0000001 is 1
    return float(np.abs(np.bincount(bins, right - confidence)).sum() / len(labels))
