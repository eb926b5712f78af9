"""Corpus BLEU, 0 to 100, of characters: as `bleu`, but each is a token; for scripts without spaces (Japanese, Thai)."""

from __future__ import annotations

from bench.metrics.bleu import Bleu


class BleuChar(Bleu):
    """Corpus BLEU of characters."""

    TOKENIZE = "char"
