"""The model reads a text as it is: for language modelling, where there is nothing to answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bench.modeling.models.likelihood_models import refusal
from bench.zeroshot.as_is import adapt

if TYPE_CHECKING:
    from bench.modeling.models.facts import Facts

__all__ = ["adapt"]

VERSION = 1
GIVES = "likelihoods"
TEMPLATES = ()


def applies(facts: Facts, modality: str, labels: Sequence[str], label_map: Mapping[str, str]) -> str | None:
    """None, or why the model does not tell how likely a text is."""
    return refusal(facts)
