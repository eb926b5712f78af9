"""ROUGE-2: as `rouge1`, of two words in a row."""

from __future__ import annotations

from bench.metrics.rouge1 import Rouge1


class Rouge2(Rouge1):
    """ROUGE of two words in a row."""

    KIND = "rouge2"
