"""Confident learning: which labels the others contradict (Northcutt, Jiang & Chuang 2021, arXiv 1911.00068)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def suspicious(labels: NDArray[np.int64], probabilities: Floats) -> NDArray[np.int64]:
    """The rows off the diagonal of the confident joint, the least believable label first.

    labels: [n]; probabilities: [n, classes], out of fold: from a model that has not seen the row's label. A row is
    counted for class j where p_j is at least the mean p_j of those that are labelled j; of several such classes for the
    likeliest. It is suspicious where that is not its label, nor its label its likeliest class. Rows are in the order
    of p of the label less the highest p of another class (the normalised margin).
    """
    rows = np.arange(len(labels))
    known = np.unique(labels)
    thresholds = np.full(probabilities.shape[1], np.inf)
    thresholds[known] = [probabilities[labels == j, j].mean() for j in known]
    above = np.where(probabilities >= thresholds - 1e-6, probabilities, -1.0)
    counted = above.argmax(axis=1)
    found = (above.max(axis=1) >= 0) & (counted != labels) & (probabilities.argmax(axis=1) != labels)
    others = probabilities.copy()
    others[rows, labels] = -1.0
    margin = probabilities[rows, labels] - others.max(axis=1)
    chosen: NDArray[np.int64] = np.flatnonzero(found)
    return chosen[np.argsort(margin[chosen], kind="stable")]
