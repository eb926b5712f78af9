"""A model with its language-modelling head, from a local folder, and how likely it finds tokens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.nn.functional import cross_entropy

from bench.modeling.encoding.arrays import IGNORE_INDEX
from bench.modeling.encoding.source_target_arrays import takes
from bench.modeling.models.generator import Backbone, build
from bench.modeling.models.loading import building, require, set_dropout
from bench.private_api import leave_masks_unread


def language_model(
    folder: Path,
    *,
    masked: bool,
    pretrained: bool,
    seed: int,
    dropout: float | None = None,
    dtype: str = "float32",
    trust_remote_code: bool = False,
    allow_missing: Sequence[str] = (),
) -> Backbone:
    """The folder's model and its head, under `backbone`; random weights, always in fp32, are drawn by `seed`.

    Raises ModelError where transformers cannot build it, or weights are missing: a random head tells nothing.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM

    leave_masks_unread()
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": trust_remote_code}
    auto = AutoModelForMaskedLM if masked else AutoModelForCausalLM
    with building(folder):
        config = AutoConfig.from_pretrained(folder, **options)
        if dropout is not None:
            set_dropout(config, dropout)
        model, gaps = build(auto, folder, config, pretrained, seed, dtype, options)
    require(folder, model, gaps, model, allow_missing)
    return Backbone(model)


def next_token_losses(model: Any, batch: dict[str, Tensor], first: int) -> Tensor:
    """Negative log-likelihoods, nats, fp32 [n, longest - first], of the tokens from position `first` (at least 1) on,
    given those before them; 0 for padding.

    model: from `language_model`, with or without PEFT around it.
    """
    ids = batch["input_ids"]
    keep = ids.shape[1] - first + 1
    fewer = {"logits_to_keep": keep} if takes(model, "logits_to_keep") else {}  # a vocabulary wide: much memory
    logits = model(**batch, **fewer, use_cache=False).logits[:, -keep:-1]
    wanted = ids.masked_fill(batch["attention_mask"] == 0, IGNORE_INDEX)[:, first:]
    return losses(logits, wanted)


def losses(logits: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy of every token, fp32 [n, k], 0 for IGNORE_INDEX. logits: [n, k, vocabulary]; wanted: [n, k]."""
    each = cross_entropy(logits.float().flatten(0, 1), wanted.flatten(), ignore_index=IGNORE_INDEX, reduction="none")
    return each.view(wanted.shape)
