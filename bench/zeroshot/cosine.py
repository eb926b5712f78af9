"""A sentence encoder compares the two texts of a pair: the cosine of their embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.zeroshot import similarity
from bench.zeroshot.similarity import applies, load

if TYPE_CHECKING:
    import numpy as np

    from bench.modeling.inference.zero_shot import Loaded, Settings
    from bench.training.job import Adapted, Job

__all__ = ["applies", "load"]

VERSION = 1
GIVES = "values"
TEMPLATES = ()
COLUMNS = ("text_pair",)


def adapt(job: Job) -> Adapted:
    """Between -1 and 1, whatever the task's unit: rank correlation does not mind."""
    return job.unlearnt(_cosines)


def _cosines(loaded: Loaded, inputs: list[tuple[str, str]], how: Settings) -> np.ndarray:
    """float64 [1, n]."""
    import numpy as np

    sides = [text for side in zip(*inputs, strict=True) for text in side]
    first, second = np.split(similarity.embeddings(loaded, sides, how).astype(np.float64), 2)
    found: np.ndarray = (first * second).sum(axis=-1)
    return found[None]
