"""Fraction of answers that equal one of their references after SQuAD's normalisation (v2.0; Rajpurkar et al. 2018).

Lower case, no ASCII punctuation, no a, an, the, single spaces. A question without an answer has the reference "".
"""

from __future__ import annotations

import re
import string
from typing import Any

import numpy as np

from bench.contracts import MeanMetric

_PUNCTUATION = str.maketrans("", "", string.punctuation)


class ExactMatch(MeanMetric):
    """Whether an answer equals a reference. The others of its family compare other forms of both, or otherwise."""

    VERSION = 1
    TAKES = "texts"
    RANGE = (0.0, 1.0)

    def outcomes(self, targets: list[list[str]], answers: list[str]) -> np.ndarray:
        """How alike each answer is to its best reference, float32 [n].

        References whose form is empty count for nothing; where all are, that is the answer: none.
        """
        found = []
        for texts, answer in zip(targets, map(self.form, answers), strict=True):
            references = [one for one in map(self.form, texts) if one] or [self.form("")]
            found.append(max(self.alike(one, answer) for one in references))
        return np.array(found, dtype=np.float32)

    def form(self, text: str) -> Any:
        """The form in which a text is compared."""
        return normal(text)

    def alike(self, reference: Any, answer: Any) -> float:
        """How alike two forms are, in [0, 1]."""
        return float(reference == answer)


def normal(text: str) -> str:
    """The text as SQuAD compares it."""
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text.lower().translate(_PUNCTUATION)).split())
