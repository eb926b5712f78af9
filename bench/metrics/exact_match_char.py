"""Fraction of answers that equal one of their references in Chinese: as CMRC 2018 compares them (Cui et al. 2019).

Lower case, without space around and without punctuation, Chinese marks included. Without an answer the reference is "".
"""

from __future__ import annotations

import numpy as np

from bench.metrics.exact_match import references

VERSION = 1
TAKES = "texts"
PER_EXAMPLE = True
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
PUNCTUATION = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
"""The marks that the evaluation script of CMRC 2018 leaves out."""


def score(targets: list[list[str]], answers: list[str]) -> float:
    """In [0, 1]. targets: n lists of references."""
    return float(outcomes(targets, answers).mean(dtype=np.float64))


def outcomes(targets: list[list[str]], answers: list[str]) -> np.ndarray:
    """1 where right, 0 where wrong, float32 [n]."""
    pairs = zip(targets, answers, strict=True)
    return np.array([normal(answer) in references(texts, normal) for texts, answer in pairs], dtype=np.float32)


def normal(text: str) -> str:
    """The text as it is compared."""
    return "".join(c for c in text.lower().strip() if c not in PUNCTUATION)
