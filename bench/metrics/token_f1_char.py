"""Mean F1 of the longest run an answer shares with a reference, the best one's, by Chinese characters (CMRC 2018).

Each Chinese character is a token, anything else is split into words by NLTK (Treebank's rule); case and punctuation as
`exact-match-char`. Where reference or answer has no token, 1 if both have none, else 0. Cui et al. 2019.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher

import numpy as np

from bench.metrics.exact_match_char import normal
from bench.metrics.token_f1 import best

VERSION = 1
TAKES = "texts"
PER_EXAMPLE = True
HIGHER_IS_BETTER = True
RANGE = (0.0, 1.0)
_HAN = re.compile("([\u4e00-\u9fa5])")


def score(targets: list[list[str]], answers: list[str]) -> float:
    """In [0, 1]. targets: n lists of references."""
    return float(outcomes(targets, answers).mean(dtype=np.float64))


def outcomes(targets: list[list[str]], answers: list[str]) -> np.ndarray:
    """Each answer's F1 with its best reference, float32 [n]."""
    return best(targets, answers, segments, _run)


def signature() -> str:
    """The library that splits words."""
    from importlib.metadata import version

    return f"nltk {version('nltk')}|NLTKWordTokenizer|longest common run of characters U+4E00 to U+9FA5 and words"


def segments(text: str) -> list[str]:
    """The tokens that are compared."""
    from nltk.tokenize import NLTKWordTokenizer

    split = NLTKWordTokenizer().tokenize
    return [
        token for piece in _HAN.split(normal(text)) for token in ([piece] if _HAN.fullmatch(piece) else split(piece))
    ]


def _run(reference: list[str], answer: list[str]) -> int:
    return SequenceMatcher(None, reference, answer, autojunk=False).find_longest_match().size
