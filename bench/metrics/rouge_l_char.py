"""ROUGE-L by characters: as `rouge-l`, of the characters that are not white space; for Chinese and other scripts."""

from __future__ import annotations

from bench.metrics.rouge_l import RougeL


class _Characters:
    def tokenize(self, text: str) -> list[str]:
        return list("".join(text.split()))


class RougeLChar(RougeL):
    """ROUGE of the longest common subsequence of characters."""

    TOKENIZER = _Characters()
    TOKENS = "characters without white space"
