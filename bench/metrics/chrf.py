"""Corpus chrF2, 0 to 100: the F-score, recall twice as heavy, of one to six characters in a row, by SacreBLEU.

Popović 2015. It needs no words, so it serves every script.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.metrics.bleu import _SacreBleu


class Chrf(_SacreBleu):
    """Corpus chrF2."""

    def counter(self) -> Any:
        """SacreBLEU's chrF."""
        from sacrebleu.metrics.chrf import CHRF

        return CHRF()

    def of(self, totals: np.ndarray) -> np.ndarray:
        """In [0, 100], from the counts of answers', references' and common n-grams of each order that has any."""
        answers, references, common = (totals[..., part::3] for part in range(3))
        there = (answers > 0) & (references > 0)
        orders = np.maximum(there.sum(axis=-1), 1)
        precision = np.where(there, common / np.maximum(answers, 1), 0.0).sum(axis=-1) / orders
        recall = np.where(there, common / np.maximum(references, 1), 0.0).sum(axis=-1) / orders
        weighted = 4 * precision + recall
        found: np.ndarray = np.where(
            weighted > 0, 100 * 5 * precision * recall / np.where(weighted > 0, weighted, 1), 0.0
        )
        return found
