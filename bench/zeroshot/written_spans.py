"""The model writes the answer to a question as it is, from a prompt with the context and the question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bench.modeling.models.generation_models import extracts
from bench.zeroshot import as_is
from bench.zeroshot.as_is import adapt, used

if TYPE_CHECKING:
    from bench.modeling.models.facts import Facts

__all__ = ["adapt", "used"]

VERSION = 1
GIVES = "spans"
SHOTS = True
TEMPLATES = ()


def applies(facts: Facts, modality: str, labels: Sequence[str], label_map: Mapping[str, str]) -> str | None:
    """As `as-is`, for models that do not extract."""
    return "it has not learnt to write text" if extracts(facts) else as_is.applies(facts, modality, labels, label_map)
