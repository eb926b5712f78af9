"""Questions with overlapping windows of their contexts (a doc stride), for answers that stand in the context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.errors import ModelError, NotApplicable
from bench.modeling.encoding.arrays import Tokens, send
from bench.modeling.encoding.text import CHUNK, longest, tokenizer_for
from bench.modeling.encoding.text import load as load_tokens
from bench.modeling.encoding.text import save as save_tokens

QUESTION = 64
"""Tokens a question may have, or a quarter of a window if that is less; longer ones are cut (Devlin et al. 2018)."""
_ARRAYS = ("chars", "labels", "nulls", "first")


@dataclass
class Windows:
    """w windows of n examples, each a question and a part of its context.

    chars: int32 [tokens, 2] beside the tokens: where in the context a token begins and ends, -1 where it is no part of
    it. labels: int32 [w, 2], the first and the last token of the first answer, both the null token where it does not
    lie in the window whole. nulls: int32 [w], the token that stands for no answer: [CLS], or the first where there is
    none. first: int64 [n + 1], an example's first window.
    """

    tokens: Tokens
    chars: np.ndarray
    labels: np.ndarray
    nulls: np.ndarray
    first: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Tokens per example, all its windows together, int64 [n]."""
        return np.asarray(np.diff(self.tokens.offsets[self.first]))

    @property
    def counts(self) -> np.ndarray:
        """Windows per example, int64 [n]."""
        return np.asarray(np.diff(self.first))

    def of(self, indices: np.ndarray) -> np.ndarray:
        """The windows of these examples, int64, one example's after another's."""
        return np.concatenate([np.arange(self.first[i], self.first[i + 1]) for i in indices])

    def places(self, window: int) -> np.ndarray:
        """A window's part of `chars`, int32 [length, 2]."""
        found: np.ndarray = self.chars[self.tokens.offsets[window] : self.tokens.offsets[window + 1]]
        return found

    def context(self, windows: np.ndarray, device: torch.device) -> Tensor:
        """Which tokens are part of the context, bool [n, longest]."""
        rows = [self.places(window)[:, 0] >= 0 for window in windows]
        found = np.zeros((len(rows), max(map(len, rows))), dtype=bool)
        for into, row in zip(found, rows, strict=True):
            into[: len(row)] = row
        return send(torch.from_numpy(found), device)

    def text(self, context: str, window: int, start: int, end: int) -> str:
        """What stands in the context from one token to another, without space around it."""
        places = self.places(window)
        return context[places[start, 0] : places[end, 1]].strip()


def encode(
    folder: Path,
    inputs: Sequence[tuple[str, str]],
    answers: Sequence[Mapping[str, Sequence[Any]]],
    *,
    max_length: int,
    stride: int,
    target: Path,
) -> None:
    """Tokenise questions and windows of their contexts into `target`.

    answers: {"text": […], "answer_start": […]} for each. max_length: tokens of a window, the model's own limit where
    that is less. stride: tokens two windows share, at most half of what one has beside the question. Raises ModelError
    where the tokenizer does not tell where in a text a token stands, NotApplicable where the model takes too few
    tokens.
    """
    tokenizer = tokenizer_for(folder)
    if not tokenizer.is_fast:
        raise ModelError(
            f"{folder}: its tokenizer does not tell where in a text a token stands, so no answer can be read from a "
            f"context; it needs a fast one (tokenizer.json)"
        )
    tokenizer.truncation_side = "right"
    length = longest(folder, tokenizer, max_length)
    asked = min(QUESTION, length // 4)
    stride = min(stride, (length - tokenizer.num_special_tokens_to_add(pair=True) - asked) // 2)
    if stride < 1:
        raise NotApplicable(f"the model takes {length} tokens: no room for a question and its context")
    ids: list[list[int]] = []
    types: list[list[int]] = []
    chars: list[np.ndarray] = []
    labels: list[tuple[int, int]] = []
    nulls: list[int] = []
    counts = np.zeros(len(inputs) + 1, dtype=np.int64)
    for at in range(0, len(inputs), CHUNK):
        questions, contexts = zip(*inputs[at : at + CHUNK], strict=True)
        found = tokenizer(
            _cut(tokenizer, list(questions), asked), list(contexts), truncation="only_second", max_length=length,
            stride=stride, return_overflowing_tokens=True, return_offsets_mapping=True,
        )  # fmt: skip
        ids += found["input_ids"]
        types += found.get("token_type_ids", [])
        for window, own in enumerate(found["overflow_to_sample_mapping"]):
            places = np.array(found["offset_mapping"][window], dtype=np.int32)
            places[[side != 1 for side in found.sequence_ids(window)]] = -1
            chars.append(places)
            nulls.append(_null(found["input_ids"][window], tokenizer.cls_token_id))
            labels.append(_label(places, answers[at + own], nulls[-1]))
            counts[at + own + 1] += 1
    save_tokens(Tokens.from_rows(ids, types, tokenizer.pad_token_id), target)
    arrays: tuple[np.ndarray, ...] = (
        np.concatenate(chars),
        np.array(labels, np.int32),
        np.array(nulls, np.int32),
        np.cumsum(counts),
    )
    for name, array in zip(_ARRAYS, arrays, strict=True):
        np.save(target / f"{name}.npy", array)


def load(target: Path) -> Windows:
    """What `encode` wrote."""
    return Windows(load_tokens(target), *(np.load(target / f"{name}.npy", mmap_mode="r") for name in _ARRAYS))


def _cut(tokenizer: Any, questions: list[str], most: int) -> list[str]:
    """The questions, cut after so many tokens."""
    found = tokenizer(questions, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    return [
        text[: places[most - 1][1]] if len(places) > most else text
        for text, places in zip(questions, found["offset_mapping"], strict=True)
    ]


def _null(ids: Sequence[int], cls: int | None) -> int:
    return ids.index(cls) if cls in ids else 0


def _label(places: np.ndarray, answers: Mapping[str, Sequence[Any]], null: int) -> tuple[int, int]:
    """The first and the last token of the first answer, if all of it lies in the window."""
    inside = np.flatnonzero(places[:, 0] >= 0)
    if not len(inside) or not answers["text"]:
        return null, null
    text, start = answers["text"][0], answers["answer_start"][0]
    stop = start + len(text.rstrip())
    start += len(text) - len(text.lstrip())
    own = inside[(places[inside, 1] > start) & (places[inside, 0] < stop)]
    if not len(own) or start < places[inside[0], 0] or stop > places[inside[-1], 1]:
        return null, null
    return int(own[0]), int(own[-1])
