"""Mean F1 of the longest run an answer shares with a reference, the best one's, by Chinese characters (CMRC 2018).

Each Chinese character is a token, anything else is split into words by NLTK (Treebank's rule); case and punctuation as
`exact-match-char`. Where reference or answer has no token, 1 if both have none, else 0. Cui et al. 2019.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher

from bench.metrics.exact_match_char import normal
from bench.metrics.token_f1 import TokenF1

_HAN = re.compile("([\u4e00-\u9fa5])")


class TokenF1Char(TokenF1):
    """F1 of the longest run of Chinese characters that an answer shares with a reference."""

    def form(self, text: str) -> list[str]:
        """The tokens that are compared."""
        from nltk.tokenize import NLTKWordTokenizer

        split, found = NLTKWordTokenizer().tokenize, list[str]()
        for piece in _HAN.split(normal(text)):
            found += [piece] if _HAN.fullmatch(piece) else split(piece)
        return found

    def shared(self, reference: list[str], answer: list[str]) -> int:
        """The length of the longest run that both hold."""
        return SequenceMatcher(None, reference, answer, autojunk=False).find_longest_match().size

    def signature(self) -> str:
        """The library that splits words."""
        from importlib.metadata import version

        return f"nltk {version('nltk')}|NLTKWordTokenizer|longest common run of characters U+4E00 to U+9FA5 and words"
