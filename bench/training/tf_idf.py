"""What no pretraining takes: TF-IDF of words and pairs of words (Spärck Jones 1972), and the linear model on top.

It learns from the labels that the trial saw, wrong ones among them, and is computed once for all models and regimes.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.data.scripts import unspaced
from bench.modeling.prompts.fill_template import plain
from bench.store.cache import cached

if TYPE_CHECKING:
    from bench.training.job import Baseline, Job, Part

VERSION = 1
MOST = 50_000
"""Features, the most frequent ones: what the linear model and its solver hold in memory grows with them."""
ITERATIONS = 100


def tf_idf(job: Job, part: Part) -> dict[str, Baseline]:
    """{"tf-idf": gives the answers to a part}; {} where the trial saw no label or the task is none of text."""
    seen = job.task.MODALITY == "text" and len(job.parts["train"].indices)
    return {"tf-idf": lambda: _answers(job, part)} if seen else {}


def _answers(job: Job, part: Part) -> np.ndarray | None:
    """[1][n]; None where the texts hold no word. Of no trial's time."""
    begun = time.perf_counter()
    try:
        folder = cached("tf-idf", _key(job, part), lambda target: _fill(job, part, target))
    finally:
        job.shared_seconds -= time.perf_counter() - begun
    found = folder / "answers.npy"
    return np.load(found) if found.exists() else None


def _key(job: Job, part: Part) -> dict[str, Any]:
    """Everything that determines what is learnt and asked."""
    import sklearn

    trial = job.trial
    return {"version": VERSION, "library": sklearn.__version__, "task": trial.task, "size": trial.size,
            "noise": trial.noise, "validation": trial.validation, "seed": trial.seed, "limits": trial.limits,
            "split": part.split}  # fmt: skip


def _fill(job: Job, part: Part, target: Path) -> None:
    """Writes nothing where the texts hold no word."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    known, asked = (_texts(job, of) for of in (job.parts["train"], part))
    unit = "char" if unspaced(known) else "word"
    vectors = TfidfVectorizer(analyzer=unit, ngram_range=(1, 2), max_features=MOST, dtype=np.float32)
    try:
        features = vectors.fit_transform(known)
    except ValueError:
        return
    answers, _ = job.objective.solve(job, job.parts["train"], features, 1.0, ITERATIONS)
    np.save(target / "answers.npy", answers(vectors.transform(asked)))


def _texts(job: Job, part: Part) -> list[str]:
    inputs = job.examples(part.split).inputs
    return [plain(inputs[row]) for row in part.indices.tolist()]
