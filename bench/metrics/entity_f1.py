"""Micro-averaged F1 of whole entities, right where type and both ends are, as CoNLL's `conlleval` reads tags.

There an I-X that follows no X begins an entity. 0 where no entity is named or none is there.
"""

from __future__ import annotations

from bench.contracts import Metric


class EntityF1(Metric):
    """F1 of whole entities, by seqeval."""

    VERSION = 1
    TAKES = "tags"
    RANGE = (0.0, 1.0)

    def score(self, targets: list[list[str]], answers: list[list[str]]) -> float:
        """In [0, 1]."""
        from seqeval.metrics import f1_score

        return float(f1_score(targets, answers, average="micro", zero_division=0))

    def signature(self) -> str:
        """The library, and the way tags are read."""
        from importlib.metadata import version

        return f"seqeval {version('seqeval')}|f1_score|average:micro|mode:default (conlleval)|zero_division:0"
