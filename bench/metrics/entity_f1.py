"""Micro-averaged F1 of whole entities, right where type and both ends are, as CoNLL's `conlleval` reads tags.

There an I-X that follows no X begins an entity. 0 where no entity is named or none is there.
"""

from __future__ import annotations

import functools

import numpy as np

from bench.contracts import SumsMetric


class EntityF1(SumsMetric):
    """F1 of whole entities, by seqeval."""

    VERSION = 1
    TAKES = "tags"
    RANGE = (0.0, 1.0)

    def sums(self, targets: list[list[str]], answers: list[list[str]]) -> np.ndarray:
        """Entities that are right, and those that are there and named together, float64 [n, 2]."""
        pairs = [
            (_entities(tuple(there)), _entities(tuple(named))) for there, named in zip(targets, answers, strict=True)
        ]
        return np.array([[len(there & named), len(there) + len(named)] for there, named in pairs], dtype=np.float64)

    def of(self, totals: np.ndarray) -> np.ndarray:
        """In [0, 1]."""
        found: np.ndarray = 2 * totals[..., 0] / np.maximum(totals[..., 1], 1)
        return found

    def signature(self) -> str:
        """The library, and the way tags are read."""
        from importlib.metadata import version

        return f"seqeval {version('seqeval')}|get_entities|average:micro|mode:default (conlleval)|zero_division:0"


@functools.lru_cache(maxsize=1 << 16)
def _entities(tags: tuple[str, ...]) -> frozenset[tuple[str, int, int]]:
    """Type, first and last word of each; the same sentences come with every model."""
    from seqeval.metrics.sequence_labeling import get_entities

    return frozenset(get_entities(list(tags)))
