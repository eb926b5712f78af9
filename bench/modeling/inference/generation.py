"""What a model writes for each example, in batches of like lengths."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np
import torch

from bench.modeling.encoding.source_target_arrays import Pairs
from bench.modeling.encoding.text import positions
from bench.modeling.inference.batched import by_length
from bench.modeling.models.generation_models import Decoding

DEFAULT_NEW_TOKENS = 128


class Written(NamedTuple):
    """texts: n answers, without special tokens or space around them; tokens: int64 [n], generated for each, its end
    included; decoding: how, the model's own settings and the given ones together."""

    texts: list[str]
    tokens: np.ndarray
    decoding: dict[str, Any]


def generate(
    model: Any,
    tokenizer: Any,
    data: Pairs,
    indices: np.ndarray,
    *,
    device: torch.device,
    batch_size: int,
    settings: Decoding,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
    tick: Callable[[int, int | None], None] = lambda done, total: None,
) -> Written:
    """What the model writes for these examples of `data`, in their order; sources of one length share a batch.

    model: from `bench.modeling.models.generator`, with or without PEFT around it, left in evaluation mode. `do_sample`
    draws from torch's own generator, so the caller seeds it and the batch size matters then, as it does not otherwise.
    """
    model.eval()
    config = model.generation_config
    ends = np.atleast_1d(-1 if config.eos_token_id is None else config.eos_token_id)
    options = settings.options() | data.start
    options |= {"max_length": None, "max_new_tokens": _most(model, data, settings)}
    batches = by_length(data.source_lengths[indices], batch_size)
    rows: dict[int, np.ndarray] = {}
    with torch.inference_mode():
        for done, batch in enumerate(batches):
            inputs = data.sources(indices[batch], device)
            with autocast():
                found = model.generate(**inputs, **options)
            read = inputs["input_ids"].shape[1] if data.joint else 1
            for position, row in zip(batch, found[:, read:].cpu().numpy(), strict=True):
                rows[int(position)] = _until(row, ends)
            tick(done + 1, len(batches))
    written = [rows[i] for i in range(len(indices))]
    # Marian has a model of pieces for each side, and takes the wrong one by itself
    side = {"use_source_tokenizer": False} if hasattr(tokenizer, "spm_target") else {}
    texts = [tokenizer.decode(row, skip_special_tokens=True, **side).strip() for row in written]
    return Written(texts, np.array([len(row) for row in written], dtype=np.int64), _decoding(config, options))


def _decoding(config: Any, options: dict[str, Any]) -> dict[str, Any]:
    """What `generate` goes by: all that is not transformers' own default, and whether it draws or searches."""
    used = copy.deepcopy(config)
    used.update(**options)
    own = {name: value for name, value in used.to_diff_dict().items() if value is not None and name[0] != "_"}
    return {"do_sample": False, "num_beams": 1} | {k: v for k, v in own.items() if k != "transformers_version"}


def _most(model: Any, data: Pairs, settings: Decoding) -> int:
    """Tokens an answer may have: the same in every batch, and no more than the model has positions for."""
    config = model.generation_config
    own = config.max_new_tokens or (None if data.joint else config.max_length)  # a decoder's counts the prompt
    wanted = settings.max_new_tokens or own or DEFAULT_NEW_TOKENS
    read = int(data.source_lengths.max()) if data.joint else 1
    return int(min(wanted, positions(model.config.to_dict()) - read))


def _until(row: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The row up to and with its first end."""
    found = np.flatnonzero(np.isin(row, ends))
    return row[: found[0] + 1] if len(found) else row
