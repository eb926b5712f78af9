"""ROUGE-L by characters: as `rouge-l`, of the characters that are not white space; for Chinese and other scripts."""

from __future__ import annotations

import numpy as np

from bench.metrics import rouge1

VERSION = 1
TAKES = "texts"
PER_EXAMPLE = True
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)


class _Characters:
    def tokenize(self, text: str) -> list[str]:
        return list("".join(text.split()))


def score(targets: list[list[str]], answers: list[str]) -> float:
    """In [0, 1]. targets: n lists of references."""
    return float(outcomes(targets, answers).mean(dtype=np.float64))


def outcomes(targets: list[list[str]], answers: list[str]) -> np.ndarray:
    """Each example's F1, float32 [n]."""
    return rouge1.outcomes(targets, answers, "rougeL", _Characters())


def signature() -> str:
    """The library and its settings."""
    return rouge1.signature("rougeL", "characters without white space")
