"""ROUGE-1: mean F1 of stemmed English words shared with a reference, that of the reference where it is highest.

Lin 2004, as rouge-score counts it; a word is [a-z0-9]+, so other scripts count for nothing.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from bench.contracts import MeanMetric


class Rouge1(MeanMetric):
    """ROUGE of single words."""

    VERSION = 1
    TAKES = "texts"
    RANGE = (0.0, 1.0)
    KIND: ClassVar[str] = "rouge1"
    """What rouge-score calls it."""
    TOKENIZER: ClassVar[Any] = None
    """Instead of words and their stems."""
    TOKENS: ClassVar[str] = "default, Porter stems"

    def outcomes(self, targets: list[list[str]], answers: list[str]) -> np.ndarray:
        """Each example's F1, float32 [n]."""
        from rouge_score.rouge_scorer import RougeScorer

        scorer = RougeScorer([self.KIND], use_stemmer=True, tokenizer=self.TOKENIZER)
        pairs = zip(targets, answers, strict=True)
        scores = [scorer.score_multi(texts, answer)[self.KIND].fmeasure for texts, answer in pairs]
        return np.array(scores, dtype=np.float32)

    def signature(self) -> str:
        """The library and its settings."""
        from importlib.metadata import version

        return f"rouge-score {version('rouge-score')}|{self.KIND}|fmeasure|tokens:{self.TOKENS}|references:max"
