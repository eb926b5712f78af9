"""TF-IDF baseline; needs no pretrained model.

TF-IDF of words and pairs of words (Spärck Jones 1972), and the objective's linear model on top. It learns from all
labels that the trial might see, wrong ones among them, is tuned on them by the rule that every regime is tuned by, and
is computed once for all models and regimes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.contracts import Baseline, Context, Part
from bench.data.scripts import unspaced
from bench.modeling.prompts.fill_template import plain
from bench.store.cache import cached
from bench.suite.trial import Json
from bench.training.cross_validation import best_c, labels_in_all

VERSION = 2
MOST = 50_000
"""Features, the most frequent ones: what the linear model and its solver hold in memory grows with them."""
ITERATIONS = 100
LOW, HIGH = 0.1, 1000.0
"""The bounds of C: a text's features have length one, and want a weaker penalty than standardised ones."""


def tf_idf(context: Context, part: Part) -> dict[str, Baseline]:
    """{"tf-idf": gives the answers to a part}; {} where the trial saw no label or the task is none of text."""
    seen = context.task.MODALITY == "text" and len(context.parts["train"].indices)
    return {"tf-idf": lambda: _answers(context, part)} if seen else {}


def _answers(context: Context, part: Part) -> np.ndarray | None:
    """[1][n]; None where the texts hold no word."""
    folder = cached("tf-idf", _key(context, part), lambda target: _fill(context, part, target))
    found = folder / "answers.npy"
    return np.load(found) if found.exists() else None


def _key(context: Context, part: Part) -> Json:
    """Everything that determines what is learnt and asked."""
    import sklearn

    trial = context.trial
    return {"version": VERSION, "library": sklearn.__version__, "task": trial.task, "size": trial.size,
            "noise": trial.noise, "validation": trial.validation, "seed": trial.seed, "limits": trial.limits,
            "split": part.split}  # fmt: skip


def _fill(context: Context, part: Part, target: Path) -> None:
    """Writes nothing where the texts hold no word."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    train = labels_in_all(context)
    known, asked = (_texts(context, of) for of in (train, part))
    unit = "char" if unspaced(known) else "word"
    vectors = TfidfVectorizer(analyzer=unit, ngram_range=(1, 2), max_features=MOST, dtype=np.float32)
    try:
        features = vectors.fit_transform(known)
    except ValueError:
        return
    chosen = best_c(context, train, features, LOW, HIGH, ITERATIONS)
    solved = context.objective.solve(context, train, features, chosen.value, ITERATIONS)
    np.save(target / "answers.npy", solved.answers(vectors.transform(asked)))


def _texts(context: Context, part: Part) -> list[str]:
    return [plain(text) for text in context.inputs(part)]
