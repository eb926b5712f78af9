"""Mean F1 of the words an answer shares with a reference, the best one's, after SQuAD's normalisation (v2.0).

As `exact-match`. Where reference or answer has no word, 1 if both have none, else 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np

from bench.metrics.exact_match import normal, references

VERSION = 1
TAKES = "texts"
PER_EXAMPLE = True
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)


def score(targets: list[list[str]], answers: list[str]) -> float:
    """In [0, 1]. targets: n lists of references."""
    return float(outcomes(targets, answers).mean(dtype=np.float64))


def outcomes(targets: list[list[str]], answers: list[str]) -> np.ndarray:
    """Each answer's F1 with its best reference, float32 [n]."""
    return best(targets, answers, _words, lambda one, other: (Counter(one) & Counter(other)).total())


def best(
    targets: list[list[str]],
    answers: list[str],
    split: Callable[[str], list[str]],
    shared: Callable[[list[str], list[str]], int],
) -> np.ndarray:
    """Each answer's F1 with its best reference, float32 [n]. shared: how many tokens two lists have in common."""

    def f1(reference: list[str], answer: list[str]) -> float:
        if not reference or not answer:
            return float(reference == answer)
        return 2 * shared(reference, answer) / (len(reference) + len(answer))

    pairs = zip(targets, map(split, answers), strict=True)
    return np.array([max(f1(one, own) for one in references(texts, split)) for texts, own in pairs], dtype=np.float32)


def _words(text: str) -> list[str]:
    return normal(text).split()
