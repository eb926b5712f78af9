"""The model's own classification head, as it is, each label by itself: the sigmoid of its output.

Of several of the model's labels that mean one of the task's, the likeliest counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bench.zeroshot import own_head
from bench.zeroshot.own_head import load, used

if TYPE_CHECKING:
    import numpy as np

    from bench.modeling.inference.zero_shot import Loaded, Settings
    from bench.modeling.models.facts import Facts
    from bench.training.job import Adapted, Job

__all__ = ["load", "used"]

VERSION = 1
GIVES = "label-sets"
TEMPLATES = ()


def applies(facts: Facts, modality: str, labels: Sequence[str], label_map: Mapping[str, str]) -> str | None:
    """None, or why not."""
    if modality == "text" and facts.problem == "single_label_classification":
        return "its head was trained to choose one label"
    return own_head.applies(facts, "text", labels, label_map) if modality == "text" else "it is no task of text"


def adapt(job: Job) -> Adapted:
    """Each label's probability."""

    def answer(loaded: Loaded, inputs: list[str], how: Settings) -> np.ndarray:
        """float32 [1, n, labels]."""
        import numpy as np
        from scipy.special import expit

        meant = np.array(own_head.meant(loaded.labels, job.labels, how.label_map))
        found = expit(own_head.logits(loaded, inputs, how))
        return np.stack([found[:, meant == label].max(axis=1) for label in range(len(job.labels))], axis=-1)[None]

    return job.unlearnt(answer)
