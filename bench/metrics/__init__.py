"""Metrics, one file each: `score(labels [n], log_probabilities [n, classes])`, higher is better.

A metric states `VERSION`, `HIGHER_IS_BETTER`, `RANGE` (the lowest and the highest score there can be) and
`PER_EXAMPLE`; where that is true, also `outcomes`, float32 [n], whose mean is the score.
"""
