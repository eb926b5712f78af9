"""Corpus chrF2, 0 to 100: the F-score, recall twice as heavy, of one to six characters in a row, by SacreBLEU.

Popović 2015. It needs no words, so it serves every script.
"""

from __future__ import annotations

from typing import Any

from bench.metrics.bleu import _SacreBleu


class Chrf(_SacreBleu):
    """Corpus chrF2."""

    def counter(self) -> Any:
        """SacreBLEU's chrF."""
        from sacrebleu.metrics.chrf import CHRF

        return CHRF()
