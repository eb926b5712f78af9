"""Metrics, one file each: `score(labels [n], log_probabilities [n, classes])`, higher is better.

A metric states `VERSION`, `HIGHER_IS_BETTER` and `PER_EXAMPLE`; where that is true, also `outcomes`, float32 [n],
whose mean is the score.
"""
