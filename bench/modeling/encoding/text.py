"""Tokenises text once for all trials that share a tokenizer, a data set and a length."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import ModelError
from bench.modeling.encoding.arrays import Tokens, offsets_of

CHUNK = 1000
FEW = 0.01
"""Where this few texts are truncated, no remark is made."""
_OFFSET = frozenset(("camembert", "ibert", "longformer", "mpnet", "roberta", "roberta-prelayernorm", "xlm-roberta"))


def tokenizer_for(folder: Path) -> Any:
    """The folder's tokenizer, with a padding token. Raises ModelError where there is none."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # files that are not there show as anything
        said = " ".join(str(error).split())[:300]
        raise ModelError(f"{folder}: transformers cannot load its tokenizer: {type(error).__name__}: {said}") from error
    if len(tokenizer) - len(tokenizer.all_special_tokens) < 2:  # SentencePiece's has its space
        raise ModelError(
            f"{folder}: its tokenizer knows no word, so every text would be unknown to the model: put the tokenizer's "
            "files (tokenizer.json, vocab.txt, …) beside the weights"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    return tokenizer


def tokenise(folder: Path, inputs: Sequence[str] | Sequence[tuple[str, str]], max_length: int) -> Tokens:
    """Tokenise texts or pairs of texts, cut to `max_length` tokens or to what the model can take if that is less."""
    tokenizer = tokenizer_for(folder)
    length = longest(folder, tokenizer, max_length)
    ids: list[np.ndarray] = []
    types: list[np.ndarray] = []
    for start in range(0, len(inputs), CHUNK):
        chunk = list(inputs[start : start + CHUNK])
        pairs = (chunk,) if isinstance(chunk[0], str) else tuple(list(side) for side in zip(*chunk, strict=True))
        found = tokenizer(*pairs, truncation=True, max_length=length)
        ids += [np.asarray(row, dtype=np.int32) for row in found["input_ids"]]
        types += [np.asarray(row, dtype=np.int32) for row in found.get("token_type_ids", [])]
    offsets = offsets_of(map(len, ids))
    if (np.diff(offsets) == 0).any():
        raise ModelError(
            f"{folder}: its tokenizer gives no token at all for example {int(np.argmin(np.diff(offsets)))}"
        )
    return Tokens(np.concatenate(ids), np.concatenate(types) if types else None, offsets, tokenizer.pad_token_id or 0)


def longest(folder: Path, tokenizer: Any, max_length: int = sys.maxsize) -> int:
    """`max_length` tokens, or what the folder's model can take if that is less."""
    config = json.loads((folder / "config.json").read_text())
    return int(min(max_length, tokenizer.model_max_length, positions(config)))


def positions(config: Mapping[str, Any]) -> int:
    """How many positions the model of this config.json has an embedding for; many tokenizers do not know."""
    if isinstance(config.get("decoder"), dict):  # two models in one, each with a config of its own
        return min(positions(config["encoder"]), positions(config["decoder"]))
    found = config.get("max_position_embeddings") or config.get("n_positions") or sys.maxsize
    # RoBERTa and its kin number positions from the padding token's number + 1
    offset = config["pad_token_id"] + 1 if config.get("model_type") in _OFFSET else 0
    return int(found) - offset


def cut(folder: Path, tokens: Tokens, max_length: int) -> str | None:
    """A sentence on how many texts reach the length at which `tokenise` cuts them; None for hardly any."""
    most = min(max_length, positions(json.loads((folder / "config.json").read_text())))
    if (tokens.lengths == tokens.lengths.max()).mean() >= FEW:  # so many alike: perhaps the tokenizer cut them before
        most = longest(folder, tokenizer_for(folder), max_length)
    share = float((tokens.lengths >= most).mean())
    return f"{share:.0%} of the training texts reach {most} tokens, at which texts are cut" if share >= FEW else None


def save(tokens: Tokens, folder: Path) -> None:
    """Write the arrays to a folder, to be memory-mapped by `load`."""
    for name in ("ids", "types", "offsets"):
        if getattr(tokens, name) is not None:
            np.save(folder / f"{name}.npy", getattr(tokens, name))
    np.save(folder / "pad.npy", np.int64(tokens.pad))


def load(folder: Path) -> Tokens:
    """The inverse of `save`."""
    types = folder / "types.npy"
    return Tokens(
        np.load(folder / "ids.npy", mmap_mode="r"),
        np.load(types, mmap_mode="r") if types.exists() else None,
        np.load(folder / "offsets.npy"),
        int(np.load(folder / "pad.npy")),
    )
