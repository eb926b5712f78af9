"""Perplexity of a corpus: exp(nats / tokens), both summed over its texts; lower is better.

It depends on the tokenizer: between models of different ones compare `bits-per-byte`.
"""

from __future__ import annotations

import math

import numpy as np

VERSION = 1
TAKES = "likelihoods"
PER_EXAMPLE = False
HIGHER_IS_BETTER = False
RANGE = (1.0, math.inf)


def score(targets: None, answers: np.ndarray) -> float:
    """At least 1. answers: float64 [n, 3], nats, tokens and bytes of each text."""
    nats, tokens, _ = answers.sum(axis=0)
    with np.errstate(over="ignore"):
        return float(np.exp(nats / tokens))
