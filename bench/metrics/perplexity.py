"""Perplexity of a corpus: exp(nats / tokens), both summed over its texts; lower is better.

It depends on the tokenizer: between models of different ones compare `bits-per-byte`.
"""

from __future__ import annotations

import math

import numpy as np

from bench.contracts import SumsMetric


class Perplexity(SumsMetric):
    """Perplexity of a corpus."""

    VERSION = 1
    TAKES = "likelihoods"
    HIGHER_IS_BETTER = False
    RANGE = (1.0, math.inf)

    def sums(self, targets: None, answers: np.ndarray) -> np.ndarray:
        """Nats and tokens, float64 [n, 2]."""
        return answers[:, :2]

    def of(self, totals: np.ndarray) -> np.ndarray:
        """At least 1; NaN of no token."""
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            found: np.ndarray = np.exp(totals[..., 0] / totals[..., 1])
        return found
