"""Bits a model needs for a byte of UTF-8: nats / (ln 2 · bytes), both summed over a corpus; lower is better.

Unlike `perplexity` it can be compared between tokenizers.
"""

from __future__ import annotations

import math

import numpy as np

from bench.contracts import Metric


class BitsPerByte(Metric):
    """Bits for a byte of a corpus."""

    VERSION = 1
    TAKES = "likelihoods"
    HIGHER_IS_BETTER = False
    RANGE = (0.0, math.inf)

    def score(self, targets: None, answers: np.ndarray) -> float:
        """At least 0."""
        nats, _, size = answers.sum(axis=0)
        return float(nats / (math.log(2) * size))
