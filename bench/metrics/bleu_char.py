"""Corpus BLEU, 0 to 100, of characters: as `bleu`, but each is a token; for scripts without spaces (Japanese, Thai)."""

from __future__ import annotations

from bench.metrics import bleu

VERSION = 1
TAKES = "texts"
PER_EXAMPLE = False
HIGHER_IS_BETTER = True
RANGE = (0.0, 100.0)


def score(targets: list[list[str]], answers: list[str]) -> float:
    """In [0, 100]. targets: n lists of references."""
    return bleu.score(targets, answers, "char")


def signature() -> str:
    """SacreBLEU's own, without the number of references."""
    return bleu.signature("char")
