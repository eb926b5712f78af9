"""ROUGE-1: mean F1 of stemmed English words shared with a reference, that of the reference where it is highest.

Lin 2004, as rouge-score counts it; a word is [a-z0-9]+, so other scripts count for nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

VERSION = 1
TAKES = "texts"
PER_EXAMPLE = True
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)


def score(targets: list[list[str]], answers: list[str]) -> float:
    """In [0, 1]. targets: n lists of references."""
    return float(outcomes(targets, answers).mean(dtype=np.float64))


def outcomes(targets: list[list[str]], answers: list[str], kind: str = "rouge1", tokenizer: Any = None) -> np.ndarray:
    """Each example's F1, float32 [n]. kind: what rouge-score calls it; tokenizer: instead of words and their stems."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer([kind], use_stemmer=True, tokenizer=tokenizer)
    pairs = zip(targets, answers, strict=True)
    return np.array([scorer.score_multi(texts, answer)[kind].fmeasure for texts, answer in pairs], dtype=np.float32)


def signature(kind: str = "rouge1", tokens: str = "default, Porter stems") -> str:
    """The library and its settings."""
    from importlib.metadata import version

    return f"rouge-score {version('rouge-score')}|{kind}|fmeasure|tokens:{tokens}|references:max"
