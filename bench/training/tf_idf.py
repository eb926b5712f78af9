"""TF-IDF baseline; needs no pretrained model.

TF-IDF of words and pairs of words (Spärck Jones 1972), and the objective's linear model on top.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.contracts import Baseline, Context, Part
from bench.data.scripts import unspaced
from bench.modeling.prompts.fill_template import plain
from bench.training import linear_baseline

VERSION = 2
MOST = 50_000
"""Features, the most frequent ones: what the linear model and its solver hold in memory grows with them."""
BOUNDS = (0.1, 1000.0)
"""Of C: a text's features have length one, and want a weaker penalty than standardised ones."""


def tf_idf(context: Context, part: Part) -> dict[str, Baseline]:
    """{"tf-idf": gives the answers to a part, None where the texts hold no word}; {} where the trial saw no label or
    the task is none of text."""
    seen = context.task.MODALITY == "text" and len(context.parts["train"].indices)
    return (
        {"tf-idf": lambda: linear_baseline.answers(context, part, "tf-idf", VERSION, _features, BOUNDS)} if seen else {}
    )


def _features(context: Context, train: Part, part: Part) -> tuple[Any, Any] | None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    known, asked = (_texts(context, of) for of in (train, part))
    unit = "char" if unspaced(known) else "word"
    vectors = TfidfVectorizer(analyzer=unit, ngram_range=(1, 2), max_features=MOST, dtype=np.float32)
    try:
        return vectors.fit_transform(known), vectors.transform(asked)
    except ValueError:
        return None


def _texts(context: Context, part: Part) -> list[str]:
    return [plain(text) for text in context.inputs(part)]
