"""Corpus BLEU, 0 to 100, of up to four tokens in a row, as SacreBLEU counts it with mteval's tokens (13a).

Papineni et al. 2002, Post 2018. For languages written with spaces between words.
"""

from __future__ import annotations

from itertools import zip_longest

VERSION = 1
TAKES = "texts"
PER_EXAMPLE = False
HIGHER_IS_BETTER = True
RANGE = (0.0, 100.0)


def score(targets: list[list[str]], answers: list[str], tokenize: str = "13a") -> float:
    """In [0, 100]. targets: n lists of references; tokenize: one of SacreBLEU's tokenizers."""
    from sacrebleu.metrics.bleu import BLEU

    streams = list(zip_longest(*targets))
    return float(BLEU(tokenize=tokenize, force=True).corpus_score(answers, streams).score)


def signature(tokenize: str = "13a") -> str:
    """SacreBLEU's own, without the number of references, which is the data's."""
    from sacrebleu.metrics.bleu import BLEU

    metric = BLEU(tokenize=tokenize)
    metric.corpus_score(["a"], [["a"]])
    return f"sacrebleu|{metric.get_signature()}".replace("|nrefs:1", "")
