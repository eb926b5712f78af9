"""ROUGE-L: as `rouge1`, of the longest common subsequence of the whole texts (not rougeLsum, line by line)."""

from __future__ import annotations

from bench.metrics.rouge1 import Rouge1


class RougeL(Rouge1):
    """ROUGE of the longest common subsequence."""

    KIND = "rougeL"
