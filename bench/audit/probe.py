"""Out-of-fold probabilities of a probe: what a linear model says of labels that it has not seen."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.objectives.classes import logistic

FOLDS = 5
STRENGTHS = (1.0, 10.0, 100.0)
"""Inverse strengths of the probe's penalty that are tried; the one with the lowest out-of-fold log-loss counts."""
ITERATIONS = 200
LEAST = 1e-6


def out_of_fold(features: Any, labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """[n, classes]: of each row what a logistic regression on the other folds says. features: [n, width], dense or
    sparse; classes that a fold's rest lacks get probability 0."""
    from sklearn.model_selection import StratifiedKFold

    strata = _strata(labels)
    fewest = int(np.unique(strata, return_counts=True)[1].min())
    folds = StratifiedKFold(max(2, min(FOLDS, fewest)), shuffle=True, random_state=0)
    splits = list(folds.split(np.zeros(len(labels)), strata))
    best, lowest = np.full((len(labels), classes), 1 / classes), np.inf
    for strength in STRENGTHS:
        found = np.zeros((len(labels), classes))
        for known, asked in splits:
            solver = logistic(features[known], labels[known], strength, ITERATIONS)
            if solver is None:
                found[asked, labels[known][0]] = 1.0
            else:
                found[np.ix_(asked, solver.classes_)] = solver.predict_proba(features[asked])
        loss = float(-np.log(np.maximum(found[np.arange(len(labels)), labels], LEAST)).mean())
        if loss < lowest:
            best, lowest = found, loss
    return best


def _strata(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The labels by which folds are drawn: one of a single example counts as the most frequent one."""
    counts = np.bincount(labels)
    found: NDArray[np.int64] = np.where(counts[labels] < 2, counts.argmax(), labels)
    return found
