"""The model's own head of one output, as it is: a cross-encoder's score of a pair, a regression's number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bench.zeroshot import own_head
from bench.zeroshot.own_head import load

if TYPE_CHECKING:
    from bench.modeling.models.facts import Facts
    from bench.training.job import Adapted, Job

__all__ = ["load"]

VERSION = 1
GIVES = "values"
TEMPLATES = ()


def applies(facts: Facts, modality: str, labels: Sequence[str], label_map: Mapping[str, str]) -> str | None:
    """None, or why not."""
    if facts.head != "sequence-classification" or len(facts.labels or ()) != 1:
        return "it has no sequence-classification head of one output"
    return None


def adapt(job: Job) -> Adapted:
    """In the unit that the model was trained in: rank correlation does not mind."""
    return job.unlearnt(lambda loaded, inputs, how: own_head.logits(loaded, inputs, how).astype("float64").T)
