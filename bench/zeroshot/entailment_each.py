"""A model of entailment judges each label's sentence by itself: P(entailment) against P(contradiction) alone.

Yin et al. 2019.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bench.zeroshot import entailment
from bench.zeroshot.entailment import TEMPLATES, load

if TYPE_CHECKING:
    import numpy as np

    from bench.modeling.inference.zero_shot import Loaded, Settings
    from bench.modeling.models.facts import Facts
    from bench.training.job import Adapted, Job

__all__ = ["TEMPLATES", "load"]

VERSION = 1
GIVES = "label-sets"


def applies(facts: Facts, modality: str, labels: Sequence[str], label_map: Mapping[str, str]) -> str | None:
    """None, or why not."""
    reason = entailment.applies(facts, "text", labels, label_map) if modality == "text" else "it is no task of text"
    if reason is None and _opposite(facts.labels or ()) is None:
        return "it is no text classifier with a label 'contradiction' or 'not_entailment'"
    return reason


def adapt(job: Job) -> Adapted:
    """Each label's probability, by template."""

    def answer(loaded: Loaded, inputs: list[str], how: Settings) -> np.ndarray:
        """float32 [templates, n, labels]."""
        from scipy.special import expit

        templates = job.templates(job.parameters, TEMPLATES)
        judged = entailment.log_likelihoods(loaded, inputs, job.labels, templates, how)
        yes, no = entailment.column(loaded.labels), _opposite(loaded.labels)
        found: np.ndarray = expit(judged[..., yes] - judged[..., no])
        return found

    return job.unlearnt(answer)


def _opposite(names: Sequence[str]) -> int | None:
    return entailment.column(names, "contradict", "not_entail", "not entail")
