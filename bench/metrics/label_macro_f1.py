"""Unweighted mean over labels of each label's own F1 = 2 TP / (2 TP + FP + FN), 0 for a label never there nor given."""

from __future__ import annotations

import numpy as np

from bench.metrics.micro_f1 import MicroF1


class LabelMacroF1(MicroF1):
    """F1 of each label, then their mean."""

    def of(self, totals: np.ndarray) -> np.ndarray:
        """In [0, 1]."""
        hit, counted = np.split(totals, 2, axis=-1)
        found: np.ndarray = (2 * hit / np.maximum(counted, 1)).mean(axis=-1)
        return found
