"""Perplexity of a corpus: exp(nats / tokens), both summed over its texts; lower is better.

It depends on the tokenizer: between models of different ones compare `bits-per-byte`.
"""

from __future__ import annotations

import math

import numpy as np

from bench.contracts import Metric


class Perplexity(Metric):
    """Perplexity of a corpus."""

    VERSION = 1
    TAKES = "likelihoods"
    HIGHER_IS_BETTER = False
    RANGE = (1.0, math.inf)

    def score(self, targets: None, answers: np.ndarray) -> float:
        """At least 1."""
        nats, tokens, _ = answers.sum(axis=0)
        with np.errstate(over="ignore"):
            return float(np.exp(nats / tokens))
