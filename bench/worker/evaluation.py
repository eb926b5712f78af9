"""Scores, the majority baseline and the predictions file of one trial."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from bench import plugins
from bench.errors import Diverged
from bench.store import atomic
from bench.suite.trial import Json
from bench.training.job import Part

FLOOR = np.log(1e-12)


def scores(metrics: list[str], labels: np.ndarray, found: np.ndarray) -> Json:
    """{metric: its mean over templates}. found: float32 [templates, n, classes].

    Raises Diverged where an example's likeliest class is none: a NaN, an infinity, or nothing possible at all.
    """
    lost = ~np.isfinite(found.max(axis=-1)).all(axis=0)
    if lost.any():
        raise Diverged(f"the model's outputs are not finite numbers for {lost.sum()} of {len(lost)} examples")
    return {metric: float(np.mean(values)) for metric, values in by_template(metrics, labels, found).items()}


def by_template(metrics: list[str], labels: np.ndarray, found: np.ndarray) -> dict[str, list[float]]:
    """{metric: one value per template}."""
    return {metric: [float(plugins.load("metrics", metric).score(labels, one)) for one in found] for metric in metrics}


def constant(found: np.ndarray) -> bool:
    """Whether one class is the answer to every example, of several, in every template."""
    answers = found.argmax(axis=-1)
    return answers.shape[1] > 1 and bool((answers == answers[0, 0]).all())


def log_loss(labels: np.ndarray, found: np.ndarray) -> float:
    """Mean negative log-probability of the labels, in nats, each at most -log(1e-12)."""
    return float(-np.maximum(found[np.arange(len(labels)), labels], FLOOR).mean())


def majority(answer: int, labels: np.ndarray, classes: int) -> np.ndarray:
    """Log-probabilities of always answering one class, float32 [1, n, classes]."""
    found = np.full((1, len(labels), classes), FLOOR, dtype=np.float32)
    found[:, :, answer] = 0.0
    return found


def predictions(metric: str, part: Part, found: np.ndarray) -> dict[str, Any]:
    """The columns of predictions.parquet: one row per template and test example."""
    plugin = plugins.load("metrics", metric)
    templates, count, _ = found.shape
    outcomes = [plugin.outcomes(part.labels, one) if plugin.PER_EXAMPLE else np.full(count, np.nan) for one in found]
    return {
        "example": np.tile(part.indices, templates),
        "template": np.repeat(np.arange(templates), count),
        "label": np.tile(part.labels, templates),
        "outcome": np.concatenate(outcomes).astype(np.float32),
        "log_probabilities": list(np.maximum(found, FLOOR).astype(np.float32).reshape(templates * count, -1)),
    }


def save(folder: Path, artifact: Json) -> None:
    """Write curve.json and, where there are predictions, predictions.parquet: both or neither. Raises StoreError."""
    files = {"curve.json": json.dumps(artifact["curve"]).encode()}
    if "predictions" in artifact:
        files["predictions.parquet"] = _parquet(artifact["predictions"])
    atomic.write_folder(folder, files)


def _parquet(columns: dict[str, Any]) -> bytes:
    import pyarrow
    from pyarrow import parquet

    mask = {"outcome": np.isnan(columns["outcome"])}
    arrays = {name: pyarrow.array(values, mask=mask.get(name)) for name, values in columns.items()}
    data = io.BytesIO()
    parquet.write_table(pyarrow.table(arrays), data, compression="zstd")
    return data.getvalue()
