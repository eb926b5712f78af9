"""What predictions.parquet keeps of a trial, as metrics take it: targets and answers, without running anything."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench.analysis import outcomes

COLUMNS = {
    "classes": ("label", "log_probabilities"),
    "label-sets": ("labels", "probabilities"),
    "tags": ("tags", "answer"),
    "texts": ("references", "answer"),
    "values": ("value", "answer"),
    "likelihoods": ("nats", "tokens", "bytes"),
    "masks": ("confusion",),
}
"""By what `Metric.TAKES` calls it, the columns that a kind of answers is kept in (`Objective.columns`)."""


class Answers(NamedTuple):
    """One file of predictions. kind: as in `Metric.TAKES`, which says what targets and answers are; examples: [n];
    answers: of each template, [n] in the same order."""

    kind: str
    examples: NDArray[np.int64]
    targets: Any
    answers: list[Any]


def read(path: Path) -> Answers:
    """Everything that one file of predictions keeps, in the order of its examples.

    Raises FileNotFoundError, and ValueError saying what is wrong with the file.
    """
    found = outcomes.table(path)
    kind = next((kind for kind, columns in COLUMNS.items() if {*columns} <= {*found.column_names}), None)
    if kind is None:
        raise ValueError("holds no answers of a kind that is known here")
    if not len(found):
        raise ValueError("holds no row")
    columns = {name: found[name] for name in COLUMNS[kind]}
    if damaged := next((name for name, column in columns.items() if column.null_count), None):
        raise ValueError(f"has rows without {damaged}")
    template = found["template"].to_numpy() if "template" in found.column_names else np.zeros(len(found), dtype=int)
    order = np.lexsort((found["example"].to_numpy(), template))
    examples, template = found["example"].to_numpy()[order].astype(np.int64), template[order]
    starts = np.flatnonzero(np.r_[True, template[1:] != template[:-1]])
    parts = np.split(np.arange(len(order)), starts[1:])
    if any(not np.array_equal(examples[part], examples[parts[0]]) for part in parts):
        raise ValueError("has some examples more often than others")
    try:
        targets, answers = _READ[kind](columns, order)
    except (pa.ArrowException, TypeError, OverflowError) as error:
        raise ValueError(f"holds what are no {kind}") from error
    first = None if targets is None else targets[: len(parts[0])]
    return Answers(kind, examples[parts[0]], first, [answers[part[0] : part[-1] + 1] for part in parts])


def _matrix(column: pa.ChunkedArray, order: NDArray[np.intp]) -> NDArray[np.float32]:
    """A list an example as rows of equal length, float32 [n, width]. Raises ValueError."""
    rows = [np.asarray(row, dtype=np.float32) for row in column.to_pylist()]
    if len({len(row) for row in rows}) != 1 or not len(rows[0]):
        raise ValueError("has answers of unequal length")
    return np.stack(rows)[order]


def _classes(columns: dict[str, pa.ChunkedArray], order: NDArray[np.intp]) -> tuple[Any, Any]:
    answers = _matrix(columns["log_probabilities"], order)
    labels = columns["label"].to_numpy()[order].astype(np.int64)
    if labels.min() < 0 or labels.max() >= answers.shape[1] or np.isnan(answers).any():
        raise ValueError(f"has labels that are none of its {answers.shape[1]} classes, or answers that are no numbers")
    return labels, answers


def _label_sets(columns: dict[str, pa.ChunkedArray], order: NDArray[np.intp]) -> tuple[Any, Any]:
    answers = _matrix(columns["probabilities"], order)
    targets = np.zeros(answers.shape, dtype=np.int8)
    for row, numbers in enumerate(columns["labels"].to_pylist()):
        if numbers and not (min(numbers) >= 0 and max(numbers) < answers.shape[1]):
            raise ValueError(f"has labels that are none of its {answers.shape[1]}")
        targets[row, numbers] = 1
    return targets[order], answers


def _values(columns: dict[str, pa.ChunkedArray], order: NDArray[np.intp]) -> tuple[Any, Any]:
    targets, answers = (columns[name].to_numpy()[order].astype(np.float64) for name in ("value", "answer"))
    if not (np.isfinite(targets).all() and np.isfinite(answers).all()):
        raise ValueError("has values that are no finite numbers")
    return targets, answers


def _lists(target: str) -> Callable[[dict[str, pa.ChunkedArray], NDArray[np.intp]], tuple[Any, Any]]:
    def read(columns: dict[str, pa.ChunkedArray], order: NDArray[np.intp]) -> tuple[Any, Any]:
        targets, answers = (columns[name].to_pylist() for name in (target, "answer"))
        if not all(isinstance(one, list) for one in targets):
            raise TypeError
        if target == "tags" and any(len(a) != len(b) for a, b in zip(targets, answers, strict=True)):
            raise ValueError("has answers with more or fewer tags than words")
        if target == "references" and not all(isinstance(one, str) for one in answers):
            raise TypeError
        return [targets[row] for row in order], [answers[row] for row in order]

    return read


def _likelihoods(columns: dict[str, pa.ChunkedArray], order: NDArray[np.intp]) -> tuple[Any, Any]:
    return None, np.stack([columns[name].to_numpy()[order] for name in COLUMNS["likelihoods"]], axis=1).astype(float)


def _masks(columns: dict[str, pa.ChunkedArray], order: NDArray[np.intp]) -> tuple[Any, Any]:
    kept = columns["confusion"].combine_chunks()
    cells = len(kept.flatten()) // len(kept)
    classes = math.isqrt(cells)
    counts = kept.flatten().to_numpy().astype(np.int64)
    if set(np.diff(kept.offsets.to_numpy())) != {classes * (classes + 1)} or counts.min() < 0:
        raise ValueError("has counts that are no table of classes by classes and none")
    answers = counts.reshape(len(kept), classes, classes + 1)[order]
    return answers.sum(axis=2), answers


_READ = {
    "classes": _classes,
    "label-sets": _label_sets,
    "tags": _lists("tags"),
    "texts": _lists("references"),
    "values": _values,
    "likelihoods": _likelihoods,
    "masks": _masks,
}
