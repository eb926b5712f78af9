"""Rows of text read as one: their tokens, each with the row it belongs to, and the windows a model reads them in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import ModelError
from bench.modeling.encoding.text import longest, tokenizer_for

_FLAT = ("ids", "rows", "sizes")


@dataclass
class Stream:
    """The tokens of joined rows, all flat: ids int32 [t]; rows int64 [t], the row in which a token begins, where what
    joins two rows belongs to the first; sizes int64 [t], bytes of UTF-8 that a token adds.

    prefix, suffix: the tokenizer's own tokens around a text; vocabulary: tokens it knows; longest: tokens the model
    takes.
    """

    ids: np.ndarray
    rows: np.ndarray
    sizes: np.ndarray
    prefix: list[int]
    suffix: list[int]
    vocabulary: int
    longest: int

    def part(self, indices: np.ndarray) -> Stream:
        """These rows alone, in the order in which they stand; `rows` then holds positions in `indices`."""
        position = np.full(max(int(indices.max(initial=0)), int(self.rows.max(initial=0))) + 1, -1, dtype=np.int64)
        position[indices] = np.arange(len(indices))
        found = position[self.rows]
        kept = found >= 0
        return Stream(
            self.ids[kept], found[kept], self.sizes[kept], self.prefix, self.suffix, self.vocabulary, self.longest
        )

    def whole(self) -> Stream:
        """With the tokenizer's own tokens at both ends, where they are bytes of nothing."""
        if not len(self.ids):
            return self
        around = len(self.prefix), len(self.suffix)
        ids = np.concatenate([self.prefix, self.ids, self.suffix]).astype(np.int32)
        rows, sizes = np.pad(self.rows, around, mode="edge"), np.pad(self.sizes, around)
        return Stream(ids, rows, sizes, [], [], self.vocabulary, self.longest)


def encode(folder: Path, texts: Sequence[str], separator: str, max_length: int, target: Path) -> None:
    """Tokenise the joined texts as one into `target`. Raises ModelError where a token's place cannot be told."""
    tokenizer = tokenizer_for(folder)
    if not tokenizer.is_fast:
        raise ModelError(f"{folder}: its tokenizer does not tell places; it needs a fast one (tokenizer.json)")
    starts = np.cumsum([0, *(len(text) + len(separator) for text in texts)])[:-1]
    joined = separator.join(texts)
    found = tokenizer(joined, return_offsets_mapping=True, return_special_tokens_mask=True, verbose=False)
    added = np.array(found["special_tokens_mask"], dtype=bool)
    inside = np.flatnonzero(~added)
    first, last = (int(inside[0]), int(inside[-1]) + 1) if len(inside) else (len(added), len(added))
    ids = np.array(found["input_ids"], dtype=np.int32)
    places = np.array(found["offset_mapping"], dtype=np.int64).reshape(-1, 2)[first:last]
    ends = np.maximum.accumulate(places[:, 1])
    if len(ends):
        ends[-1] = len(joined)  # what a tokenizer passes over (white space) belongs to the token after it, or the last
    before = np.cumsum([0, *(len(character.encode()) for character in joined)])
    rows = np.searchsorted(starts, np.maximum.accumulate(places[:, 0]), side="right") - 1
    arrays: dict[str, np.ndarray] = {"ids": ids[first:last], "rows": rows, "sizes": np.diff(before[ends], prepend=0)}
    for name, array in arrays.items():
        np.save(target / f"{name}.npy", array)
    around = {"prefix": ids[:first].tolist(), "suffix": ids[last:].tolist()}
    numbers = {"vocabulary": len(tokenizer), "longest": longest(folder, tokenizer, max_length)}
    (target / "stream.json").write_text(json.dumps({**around, **numbers}))


def load(target: Path) -> Stream:
    """What `encode` wrote."""
    arrays: dict[str, Any] = {name: np.load(target / f"{name}.npy", mmap_mode="r") for name in _FLAT}
    return Stream(**arrays, **json.loads((target / "stream.json").read_text()))


def overlap(length: int, stride: int) -> int:
    """How far windows of `length` tokens move: `stride`, or half the window where the model takes no more than that, so
    that every token has something before it."""
    return stride if stride < length else max(1, length // 2)


def windows(total: int, length: int, stride: int) -> np.ndarray:
    """Sliding windows over `total` tokens: int64 [n, 3], where each begins, the first token it scores, and its end.

    Every token but the very first is scored once, with as much before it as its window holds.
    """
    found, scored = [], 1
    for begin in range(0, total, stride):
        end = min(begin + length, total)
        if end > scored:
            found.append((begin, scored, end))
        scored = end
        if end == total:
            break
    return np.array(found, dtype=np.int64).reshape(-1, 3)
