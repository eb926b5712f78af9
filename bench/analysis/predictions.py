"""What models answered to every test example, as one tidy frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.analysis import outcomes
from bench.analysis.results import Results
from bench.errors import StoreError
from bench.store import paths
from bench.store.record import Record

Keep = Callable[[dict[str, str]], bool]
"""Whether the trials of an axis each, as text, are wanted."""


def collect(results: Sequence[Results], keep: Keep, on: str = "") -> pd.DataFrame:
    """A row for every example, template and seed of the trials that were scored, in the order of the plans.

    on: an also_test set's name; empty: the test split. Raises StoreError where a file of predictions is damaged.
    """
    parts = [part for one in results for part in _parts(one, keep, on)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _parts(results: Results, keep: Keep, on: str) -> Iterator[pd.DataFrame]:
    for place in results.places:
        cell = place.cell
        names = {axis: cell[axis] for axis in ("task", "model", "regime", "size", "noise")}
        for record in place.attempts:
            seed = int(record["trial"]["seed"])
            said = {**{axis: str(value) for axis, value in names.items()}, "noise": f"{cell['noise']:g}"}
            if record["status"] != "ok" or not keep({**said, "seed": str(seed)}):
                continue
            path = paths.predictions(results.folder, record["trial"]["id"], str(record.get("attempt")), on)
            try:
                found = outcomes.table(path).to_pandas()
            except FileNotFoundError:
                continue
            except ValueError as error:
                raise StoreError(f"{path}: {error}; `bench check` lists what is damaged") from error
            given = {"suite": results.name, **names, "seed": seed, "environment": place.environment}
            yield _worded(found, record).assign(**given)[[*given, *_columns(found)]]


def _columns(found: pd.DataFrame) -> list[str]:
    """What was told of each example, the answer beside what is right, the details last."""
    first = ["example", "row", "template", "outcome", "label", "labels", "tags", "value", "references", "answer"]
    return [c for c in first if c in found] + [c for c in map(str, found.columns) if c not in first]


def _worded(found: pd.DataFrame, record: Record) -> pd.DataFrame:
    """With an answer where there are but probabilities, and classes by their labels."""
    if "log_probabilities" in found and "answer" not in found:
        found["answer"] = [int(np.argmax(row)) for row in found["log_probabilities"]]
    if "probabilities" in found and "answer" not in found:
        found["answer"] = [np.flatnonzero(np.asarray(row) >= 0.5).tolist() for row in found["probabilities"]]
    task = record["trial"].get("task", {})
    labels = task.get("parameters", {}).get("labels") or ()
    words = list(labels.values() if isinstance(labels, dict) else labels)
    for column in ("label", "labels", "answer"):
        if column in found and words and column != "tags" and ("label" in found or "labels" in found):
            found[column] = [_word(value, words) for value in found[column]]
    return found


def _word(value: Any, words: Sequence[str]) -> Any:
    if isinstance(value, list | np.ndarray):
        return [_word(part, words) for part in value]
    return words[int(value)] if 0 <= int(value) < len(words) else value
