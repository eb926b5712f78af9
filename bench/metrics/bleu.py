"""Corpus BLEU, 0 to 100, of up to four tokens in a row, as SacreBLEU counts it with mteval's tokens (13a).

Papineni et al. 2002, Post 2018. For languages written with spaces between words.
"""

from __future__ import annotations

import abc
from itertools import zip_longest
from typing import Any, ClassVar

from bench.contracts import Metric


class _SacreBleu(Metric):
    """A metric of SacreBLEU over a corpus of texts."""

    VERSION = 1
    TAKES = "texts"
    RANGE = (0.0, 100.0)

    @abc.abstractmethod
    def counter(self) -> Any:
        """SacreBLEU's own metric."""

    def score(self, targets: list[list[str]], answers: list[str]) -> float:
        """In [0, 100]."""
        return float(self.counter().corpus_score(answers, list(zip_longest(*targets))).score)

    def signature(self) -> str:
        """SacreBLEU's own, without the number of references, which is the data's."""
        counter = self.counter()
        counter.corpus_score(["a"], [["a"]])
        return f"sacrebleu|{counter.get_signature()}".replace("|nrefs:1", "")


class Bleu(_SacreBleu):
    """Corpus BLEU of words."""

    TOKENIZE: ClassVar[str] = "13a"
    """One of SacreBLEU's tokenizers."""

    def counter(self) -> Any:
        """SacreBLEU's BLEU."""
        from sacrebleu.metrics.bleu import BLEU

        return BLEU(tokenize=self.TOKENIZE, force=True)
