"""Fraction of answers that equal one of their references after SQuAD's normalisation (v2.0; Rajpurkar et al. 2018).

Lower case, no ASCII punctuation, no a, an, the, single spaces. A question without an answer has the reference "".
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from typing import TypeVar

import numpy as np

VERSION = 1
TAKES = "texts"
PER_EXAMPLE = True
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
T = TypeVar("T")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def score(targets: list[list[str]], answers: list[str]) -> float:
    """In [0, 1]. targets: n lists of references."""
    return float(outcomes(targets, answers).mean(dtype=np.float64))


def outcomes(targets: list[list[str]], answers: list[str]) -> np.ndarray:
    """1 where right, 0 where wrong, float32 [n]."""
    pairs = zip(targets, answers, strict=True)
    return np.array([normal(answer) in references(texts, normal) for texts, answer in pairs], dtype=np.float32)


def normal(text: str) -> str:
    """The text as SQuAD compares it."""
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text.lower().translate(_PUNCTUATION)).split())


def references(texts: list[str], form: Callable[[str], T]) -> list[T]:
    """The forms in which references are compared, but empty ones; where all are empty, that is the answer: none."""
    return [one for one in map(form, texts) if one] or [form("")]
