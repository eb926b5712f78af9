"""The model writes its answer as it is: for translation and other tasks whose answer is a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench.modeling.writers import writer

if TYPE_CHECKING:
    from bench.modeling.facts import Facts
    from bench.training.job import Adapted, Job

VERSION = 1
GIVES = "texts"
TEMPLATES = ()


def applies(facts: Facts, modality: str, labels: Sequence[str], label_map: Mapping[str, str]) -> str | None:
    """An encoder that would have to be joined with another has never learnt to write."""
    how: Any = writer(facts)
    return None if how in ("encoder-decoder", "decoder") else "it has not learnt to write text"


def adapt(job: Job) -> Adapted:
    """The pretrained model under the objective's own reading."""
    from bench.training.job import Adapted

    model = job.model(pretrained=True, frozen=True).eval()
    total = sum(p.numel() for p in model.parameters())
    return Adapted(lambda part: job.objective.answer(job, model, part), trainable=0, total=total, stored_bytes=0)
