"""Corpus BLEU, 0 to 100, of up to four tokens in a row, as SacreBLEU counts it with mteval's tokens (13a).

Papineni et al. 2002, Post 2018. For languages written with spaces between words.
"""

from __future__ import annotations

import abc
from itertools import zip_longest
from typing import Any, ClassVar

import numpy as np

from bench import private_api
from bench.contracts import SumsMetric


class _SacreBleu(SumsMetric):
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

    def sums(self, targets: list[list[str]], answers: list[str]) -> np.ndarray:
        """SacreBLEU's statistics of each sentence, float64 [n, k]."""
        return np.array(
            private_api.sentence_statistics(self.counter(), answers, list(zip_longest(*targets))), dtype=np.float64
        )

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

    def of(self, totals: np.ndarray) -> np.ndarray:
        """In [0, 100], from the lengths of answers and references and the counts of right and of all n-grams; an n-gram
        order without a right one counts as half of one, the next as a quarter (NIST's smoothing)."""
        own, references, right, every = totals[..., 0], totals[..., 1], totals[..., 2:6], totals[..., 6:10]
        lacks = (right == 0) & (every > 0)
        smoothed = np.where(right > 0, right, np.where(lacks, 0.5 ** np.cumsum(lacks, axis=-1), 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            logarithms = np.log(smoothed / every).mean(axis=-1)
            short = np.minimum(0.0, 1 - references / own)
        possible = (right.sum(axis=-1) > 0) & (every > 0).all(axis=-1) & (own > 0)
        found: np.ndarray = np.where(possible, 100 * np.exp(logarithms + short), 0.0)
        return found
