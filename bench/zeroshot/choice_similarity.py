"""A sentence encoder compares the context with each choice: softmax over choices of 20 · cosine."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.zeroshot.similarity import SCALE, applies, embeddings, load

if TYPE_CHECKING:
    import numpy as np

    from bench.modeling.inference.zero_shot import Loaded, Settings
    from bench.training.job import Adapted, Job

__all__ = ["applies", "load"]

VERSION = 1
GIVES = "choices"
TEMPLATES = ()


def adapt(job: Job) -> Adapted:
    """Contexts and choices are embedded apart."""
    return job.unlearnt(_compared)


def _compared(loaded: Loaded, inputs: list[Sequence[str]], how: Settings) -> np.ndarray:
    """float32 [1, n, most choices], -inf where an example has fewer."""
    import numpy as np

    from bench.modeling.encoding import choices
    from bench.modeling.inference import zero_shot

    found = embeddings(loaded, [text for one in inputs for text in one], how)
    begins = np.cumsum([0, *map(len, inputs)])
    cosines = [found[i + 1 : j] @ found[i] for i, j in itertools.pairwise(begins)]
    return zero_shot.normalised(choices.spread(SCALE * np.concatenate(cosines), inputs)[None])
