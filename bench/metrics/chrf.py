"""Corpus chrF2, 0 to 100: the F-score, recall twice as heavy, of one to six characters in a row, by SacreBLEU.

Popović 2015. It needs no words, so it serves every script.
"""

from __future__ import annotations

from itertools import zip_longest

VERSION = 1
TAKES = "texts"
PER_EXAMPLE = False
HIGHER_IS_BETTER = True
RANGE = (0.0, 100.0)


def score(targets: list[list[str]], answers: list[str]) -> float:
    """In [0, 100]. targets: n lists of references."""
    from sacrebleu.metrics.chrf import CHRF

    return float(CHRF().corpus_score(answers, list(zip_longest(*targets))).score)


def signature() -> str:
    """SacreBLEU's own, without the number of references, which is the data's."""
    from sacrebleu.metrics.chrf import CHRF

    metric = CHRF()
    metric.corpus_score(["a"], [["a"]])
    return f"sacrebleu|{metric.get_signature()}".replace("|nrefs:1", "")
