"""ROUGE-L: as `rouge1`, of the longest common subsequence of the whole texts (not rougeLsum, line by line)."""

from __future__ import annotations

import numpy as np

from bench.metrics import rouge1

VERSION = 1
TAKES = "texts"
PER_EXAMPLE = True
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)


def score(targets: list[list[str]], answers: list[str]) -> float:
    """In [0, 1]. targets: n lists of references."""
    return float(outcomes(targets, answers).mean(dtype=np.float64))


def outcomes(targets: list[list[str]], answers: list[str]) -> np.ndarray:
    """Each example's F1, float32 [n]."""
    return rouge1.outcomes(targets, answers, "rougeL")


def signature() -> str:
    """The library and its settings."""
    return rouge1.signature("rougeL")
