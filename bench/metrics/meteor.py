"""METEOR: mean over texts of a recall-heavy F of words aligned by form or stem, less for words out of order, by NLTK.

Banerjee & Lavie 2005, α = 0.9, β = 3, γ = 0.5; the best reference counts. WordNet's synonyms are left out even where
its data are installed, so that a score does not depend on the machine; and a text of one word has at most 0.5.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.contracts import MeanMetric


class _NoSynonyms:
    def synsets(self, word: str) -> list[Any]:
        return []


class Meteor(MeanMetric):
    """METEOR without synonyms, by NLTK."""

    VERSION = 1
    TAKES = "texts"
    RANGE = (0.0, 1.0)

    def outcomes(self, targets: list[list[str]], answers: list[str]) -> np.ndarray:
        """Each text's METEOR, float32 [n]."""
        from nltk.tokenize import word_tokenize
        from nltk.translate.meteor_score import meteor_score

        def words(text: str) -> list[str]:
            return word_tokenize(text, preserve_line=True)  # type: ignore[no-any-return]

        pairs = zip(targets, answers, strict=True)
        found = [
            meteor_score([words(text) for text in texts], words(answer), wordnet=_NoSynonyms())
            for texts, answer in pairs
        ]
        return np.array(found, dtype=np.float32)

    def signature(self) -> str:
        """The library, and which of METEOR's modules ran."""
        from importlib.metadata import version

        library, modules = f"nltk {version('nltk')}", "exact+porter_stem (no wordnet_synonyms, no paraphrases)"
        return f"{library}|meteor_score|modules:{modules}|tokens:word_tokenize(preserve_line)|a:0.9|b:3|g:0.5"
