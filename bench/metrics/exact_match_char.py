"""Fraction of answers that equal one of their references in Chinese: as CMRC 2018 compares them (Cui et al. 2019).

Lower case, without space around and without punctuation, Chinese marks included. Without an answer the reference is "".
"""

from __future__ import annotations

from bench.metrics.exact_match import ExactMatch

PUNCTUATION = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
"""The marks that the evaluation script of CMRC 2018 leaves out."""


class ExactMatchChar(ExactMatch):
    """Whether an answer equals a reference, in Chinese."""

    def form(self, text: str) -> str:
        """The form in which a text is compared."""
        return normal(text)


def normal(text: str) -> str:
    """The text as CMRC 2018 compares it."""
    return "".join(c for c in text.lower().strip() if c not in PUNCTUATION)
