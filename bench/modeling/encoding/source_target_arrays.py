"""Sources and their targets, both tokenised, as a model that answers with text takes them; and its loss."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, pad

from bench.modeling.encoding.arrays import IGNORE_INDEX, padded, padded_inputs, rows_of, send

_FLAT = ("source", "source_offsets", "target", "target_offsets")


@dataclass
class Pairs:
    """source, target: flat int32; source_offsets, target_offsets: int64 [n + 1].

    joint: source and target are one sequence (a decoder alone), so that a source is a prompt. start: generation
    arguments that make the model begin in the target's language.
    """

    source: np.ndarray
    source_offsets: np.ndarray
    target: np.ndarray
    target_offsets: np.ndarray
    pad: int
    joint: bool
    start: dict[str, int]

    @property
    def lengths(self) -> np.ndarray:
        """Tokens per example, source and target together, int64 [n]."""
        both: np.ndarray = self.source_lengths + self.weights
        return both

    @property
    def source_lengths(self) -> np.ndarray:
        """Tokens that the model reads before it writes, int64 [n]."""
        return np.asarray(np.diff(self.source_offsets))

    @property
    def weights(self) -> np.ndarray:
        """Tokens to be learnt per example, int64 [n]; with `target_rows` they are `weights[target_rows]`."""
        return np.asarray(np.diff(self.target_offsets))

    def batch(
        self, indices: np.ndarray, device: torch.device, target_rows: np.ndarray | None = None
    ) -> dict[str, Tensor]:
        """input_ids, attention_mask and labels, int64 [n, longest], padded on the right; labels are IGNORE_INDEX where
        there is no target. For a decoder also keep, an int64 on the host: so many positions at the end hold all that
        is learnt, and what it is learnt from.

        target_rows: int64 [n]: whose target each example takes, where not its own.
        """
        sources = rows_of(self.source, self.source_offsets, indices)
        targets = rows_of(self.target, self.target_offsets, indices if target_rows is None else target_rows)
        host = {}
        if self.joint:
            shortest = min(len(row) for row in sources)
            labels = [np.concatenate([np.full_like(s, IGNORE_INDEX), t]) for s, t in zip(sources, targets, strict=True)]
            sources = [np.concatenate(pair) for pair in zip(sources, targets, strict=True)]
            host["keep"] = torch.tensor(max(len(row) for row in sources) - shortest + 1)
        else:
            labels = targets
        return self._read(sources, device) | {"labels": send(padded(labels, IGNORE_INDEX), device)} | host

    def sources(self, indices: np.ndarray, device: torch.device) -> dict[str, Tensor]:
        """input_ids and attention_mask of what the model reads before it writes, int64 [n, longest]; a decoder alone
        writes on at the right end, so it is padded on the left."""
        return self._read(rows_of(self.source, self.source_offsets, indices), device, left=self.joint)

    def _read(self, rows: list[np.ndarray], device: torch.device, left: bool = False) -> dict[str, Tensor]:
        return {name: send(tensor, device) for name, tensor in padded_inputs(rows, self.pad, left).items()}

    def save(self, folder: Path) -> None:
        """Write the arrays to a folder, to be memory-mapped by `load`."""
        for name in _FLAT:
            np.save(folder / f"{name}.npy", getattr(self, name))
        rest = {"pad": self.pad, "joint": self.joint, "start": self.start}
        (folder / "pairs.json").write_text(json.dumps(rest))


def load(folder: Path) -> Pairs:
    """What `Pairs.save` wrote."""
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _FLAT}
    return Pairs(**arrays, **json.loads((folder / "pairs.json").read_text()))


def loss(model: Any, batch: dict[str, Tensor]) -> Tensor:
    """The sum over the batch's target tokens of their cross entropy, fp32, a scalar on the device.

    model: from `bench.modeling.models.generator`, with or without PEFT around it; batch: from `Pairs.batch`.
    """
    inputs: dict[str, Any] = {name: tensor for name, tensor in batch.items() if name not in ("labels", "keep")}
    labels, keep = batch["labels"], 0
    if not model.config.is_encoder_decoder:
        keep = int(batch["keep"])
        if takes(model, "logits_to_keep"):  # a vocabulary wide: much memory, and the prompt's are not wanted
            inputs["logits_to_keep"] = keep
        labels = pad(
            labels[:, -keep:][:, 1:], (0, 1), value=IGNORE_INDEX
        )  # shifting labels, not logits, copies no logits
    elif hasattr(model, "prepare_decoder_input_ids_from_labels"):
        inputs["decoder_input_ids"] = model.prepare_decoder_input_ids_from_labels(labels=labels)
    else:  # a few leave that to their forward, which then takes a loss of its own as well
        inputs["labels"] = labels
    logits = model(**inputs, use_cache=False).logits[:, -keep:]
    return cross_entropy(logits.float().flatten(0, 1), labels.flatten(), ignore_index=IGNORE_INDEX, reduction="sum")


def takes(model: Any, argument: str) -> bool:
    """Whether the model's forward, or that of the one which PEFT has wrapped, has an argument of this name."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return argument in inspect.signature(inner.forward).parameters
