"""A sentence encoder compares the context with each choice: softmax over choices of 20 · cosine."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from bench.zeroshot.similarity import SCALE, applies, embeddings, load

if TYPE_CHECKING:
    import numpy as np

    from bench.training.job import Adapted, Job, Part

__all__ = ["applies", "load"]

VERSION = 1
GIVES = "choices"
TEMPLATES = ()


def adapt(job: Job) -> Adapted:
    """Contexts and choices are embedded apart."""
    import numpy as np

    from bench.modeling import answering, choosing
    from bench.training.job import Adapted

    loaded = job.whole_model(job.trial.regime["way"])

    def predict(part: Part) -> np.ndarray:
        inputs = job.examples(part.split).inputs
        asked, most = [inputs[i] for i in part.indices], max(map(len, inputs)) - 1
        texts = [text for one in asked for text in one]
        found = embeddings(loaded, texts, job.settings(job.parameters))
        begins = np.cumsum([0, *map(len, asked)])
        cosines = [found[i + 1 : j] @ found[i] for i, j in itertools.pairwise(begins)]
        return answering.normalised(choosing.spread(SCALE * np.concatenate(cosines), asked, most)[None])

    total = sum(p.numel() for p in loaded.model.parameters())
    return Adapted(predict, trainable=0, total=total, stored_bytes=0)
