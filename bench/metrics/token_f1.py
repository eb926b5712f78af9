"""Mean F1 of the words an answer shares with a reference, the best one's, after SQuAD's normalisation (v2.0).

As `exact-match`. Where reference or answer has no word, 1 if both have none, else 0.
"""

from __future__ import annotations

from collections import Counter

from bench.metrics.exact_match import ExactMatch, normal


class TokenF1(ExactMatch):
    """F1 of the words that an answer shares with a reference."""

    def form(self, text: str) -> list[str]:
        """The tokens that are compared."""
        return normal(text).split()

    def alike(self, reference: list[str], answer: list[str]) -> float:
        """F1 of the tokens they share."""
        if not reference or not answer:
            return super().alike(reference, answer)
        return 2 * self.shared(reference, answer) / (len(reference) + len(answer))

    def shared(self, reference: list[str], answer: list[str]) -> int:
        """How many tokens they have in common."""
        return (Counter(reference) & Counter(answer)).total()
