"""How likely a causal language model finds it that a text goes on in a certain way."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from bench.modeling.inference.zero_shot import Loaded


def rows(tokenizer: Any, stems: Sequence[str], ends: Sequence[Sequence[str]]) -> tuple[list[list[int]], list[int]]:
    """Token ids of every (stem, one of its ends), stem by stem, and where each end starts: after the longest prefix
    shared with the stem alone, since an end's first letters may be one token with what stands before it."""
    found, starts = [], []
    owners = [number for number, own in enumerate(ends) for _ in own]
    before = tokenizer([stem.strip() for stem in stems])["input_ids"]
    filled = tokenizer([(stems[number] + end).strip() for number, own in enumerate(ends) for end in own])
    for number, ids in zip(owners, filled["input_ids"], strict=True):
        if ids[-1] == tokenizer.eos_token_id:
            ids = ids[:-1]
        shared = zip(before[number], ids[:-1], strict=False)
        start = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], shared))
        if start == 0:  # the first token needs something to follow
            ids, start = [tokenizer.bos_token_id or tokenizer.eos_token_id or 0, *ids], 1
        found.append(ids)
        starts.append(start)
    return found, starts


def mean_log_probability(
    loaded: Loaded, starts: np.ndarray, batch: dict[str, torch.Tensor], indices: np.ndarray
) -> torch.Tensor:
    """The mean log-probability of each row's tokens from `starts[index]` on, [n, 1]."""
    ids = batch["input_ids"]
    first = int(starts[indices].min())
    keep = ids.shape[1] - first + 1
    fewer = {"logits_to_keep": keep} if loaded.takes("logits_to_keep") else {}  # a vocabulary wide: much memory
    logits = loaded.model(**batch, **fewer).logits[:, -keep:-1]
    each = logits.float().log_softmax(-1).gather(-1, ids[:, first:, None]).squeeze(-1)
    position = torch.arange(first, ids.shape[1], device=ids.device)
    inside = (position >= torch.as_tensor(starts[indices], device=ids.device)[:, None]) & (
        batch["attention_mask"][:, first:] == 1
    )
    mean: torch.Tensor = (each * inside).sum(-1) / inside.sum(-1)
    return mean[:, None]
