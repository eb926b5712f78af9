"""Lists of words, tokenised: each word's tag stands at its first token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.errors import ModelError
from bench.modeling.encoding.arrays import IGNORE_INDEX, Tokens, padded, send
from bench.modeling.encoding.text import CHUNK, longest, tokenizer_for
from bench.modeling.encoding.text import load as load_tokens
from bench.modeling.encoding.text import save as save_tokens


@dataclass
class Words:
    """Tokenised words. words: flat int32 beside the tokens: which word begins here, -1 where none does."""

    tokens: Tokens
    words: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Tokens per example, int64 [n]."""
        return self.tokens.lengths

    def row(self, index: int) -> np.ndarray:
        """Which word begins at each token of an example, int32 [length]."""
        found: np.ndarray = self.words[self.tokens.offsets[index] : self.tokens.offsets[index + 1]]
        return found

    def targets(self, indices: np.ndarray, tags: Sequence[np.ndarray], device: torch.device) -> Tensor:
        """int64 [n, longest]: the tag of the word that begins there, else IGNORE_INDEX. tags: [n], one a word."""
        rows = [self.row(index) for index in indices]
        found = [np.full(len(row), IGNORE_INDEX) for row in rows]
        for into, row, own in zip(found, rows, tags, strict=True):
            begins = np.flatnonzero(row >= 0)
            into[begins] = own[row[begins]]
        return send(padded(found, IGNORE_INDEX), device)


def encode(folder: Path, inputs: Sequence[Sequence[str]], max_length: int, target: Path) -> None:
    """Tokenise lists of words, cut to `max_length` tokens or to what the model can take, into `target`.

    Raises ModelError where the tokenizer does not tell which word a token is of.
    """
    tokenizer = tokenizer_for(folder)
    if not tokenizer.is_fast:
        raise ModelError(f"{folder}: its tokenizer does not tell words apart; it needs a fast one (tokenizer.json)")
    if getattr(tokenizer, "add_prefix_space", None) is False:
        tokenizer = type(tokenizer).from_pretrained(folder, add_prefix_space=True, local_files_only=True)
    length = longest(folder, tokenizer, max_length)
    ids: list[list[int]] = []
    types: list[list[int]] = []
    words: list[int] = []
    for start in range(0, len(inputs), CHUNK):
        chunk = [list(row) for row in inputs[start : start + CHUNK]]
        found = tokenizer(chunk, is_split_into_words=True, truncation=True, max_length=length)
        ids += found["input_ids"]
        types += found.get("token_type_ids", [])
        for row in range(len(chunk)):
            words += _firsts(found.word_ids(row))
    save_tokens(Tokens.from_rows(ids, types, tokenizer.pad_token_id), target)
    np.save(target / "words.npy", np.array(words, dtype=np.int32))


def load(target: Path) -> Words:
    """What `encode` wrote."""
    return Words(load_tokens(target), np.load(target / "words.npy", mmap_mode="r"))


def _firsts(words: Sequence[int | None]) -> list[int]:
    """The word that begins at each token, else -1."""
    seen: set[int] = set()
    found = []
    for word in words:
        found.append(-1 if word is None or word in seen else word)
        if word is not None:
            seen.add(word)
    return found
