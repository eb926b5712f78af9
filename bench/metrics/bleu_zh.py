"""Corpus BLEU, 0 to 100, of Chinese: as `bleu`, but every Chinese character is a token, the rest as in 13a."""

from __future__ import annotations

from bench.metrics import bleu

VERSION = 1
TAKES = "texts"
PER_EXAMPLE = False
HIGHER_IS_BETTER = True
RANGE = (0.0, 100.0)


def score(targets: list[list[str]], answers: list[str]) -> float:
    """In [0, 100]. targets: n lists of references."""
    return bleu.score(targets, answers, "zh")


def signature() -> str:
    """SacreBLEU's own, without the number of references."""
    return bleu.signature("zh")
