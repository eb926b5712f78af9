"""Bits a model needs for a byte of UTF-8: nats / (ln 2 · bytes), both summed over a corpus; lower is better.

Unlike `perplexity` it can be compared between tokenizers.
"""

from __future__ import annotations

import math

import numpy as np

from bench.contracts import SumsMetric


class BitsPerByte(SumsMetric):
    """Bits for a byte of a corpus."""

    VERSION = 1
    TAKES = "likelihoods"
    HIGHER_IS_BETTER = False
    RANGE = (0.0, math.inf)

    def sums(self, targets: None, answers: np.ndarray) -> np.ndarray:
        """Nats and bytes, float64 [n, 2]."""
        return answers[:, [0, 2]]

    def of(self, totals: np.ndarray) -> np.ndarray:
        """At least 0; NaN of no text."""
        with np.errstate(divide="ignore", invalid="ignore"):
            found: np.ndarray = totals[..., 0] / (math.log(2) * totals[..., 1])
        return found
