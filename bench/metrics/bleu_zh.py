"""Corpus BLEU, 0 to 100, of Chinese: as `bleu`, but every Chinese character is a token, the rest as in 13a."""

from __future__ import annotations

from bench.metrics.bleu import Bleu


class BleuZh(Bleu):
    """Corpus BLEU of Chinese."""

    TOKENIZE = "zh"
