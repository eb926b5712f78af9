"""Examples that belong together: from a column of the data to the intervals."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from factory import Factory

from bench import plugins
from bench.analysis import frame, outcomes
from bench.data.corpora import python_docs
from bench.errors import DataError
from bench.store import paths
from bench.trial import task_data


def load(folder: Path, **named: str) -> task_data.TaskData:
    """Six texts by three authors, as train and as test."""
    for split in ("train", "test"):
        with (folder / f"{split}.csv").open("w", newline="") as file:
            rows = [(f"{split} text {i}", "ab"[i % 2], f"author {i // 2}") for i in range(6)]
            csv.writer(file).writerows([("text", "label", "author"), *rows])
    source = plugins.load("data_sources", "files")
    location = {"files": {split: str(folder / f"{split}.csv") for split in ("train", "test")}}
    task: Any = {
        **{"kind": "text-classification", "version": 1, "parameters": {"metrics": [], "labels": ["a", "b"]}},
        "columns": {"text": "text", "label": "label", **named},
        "splits": {"train": "train", "test": "test"},
        "data": {
            **{"source": "files", "version": source.VERSION, "parameters": {}},
            "fingerprint": source.lock(source.Parameters.model_validate(location))["fingerprint"],
        },
    }
    return task_data.load(task, location, {})


def test_a_task_names_the_column_of_its_clusters(tmp_path: Path) -> None:
    found = load(tmp_path, cluster="author").clusters("test")
    assert found is not None
    assert found.tolist() == [0, 0, 1, 1, 2, 2]
    assert load(tmp_path).clusters("test") is None
    with pytest.raises(DataError, match="no column 'speaker'; it takes text, text_pair, label, cluster"):
        load(tmp_path, speaker="author")


def test_the_corpora_name_theirs() -> None:
    docs = [
        python_docs.Docstring("email/a", "email/a:C", "some words " * 5),
        python_docs.Docstring("xml", "xml:f", "x y"),
    ]
    assert python_docs.units_of([*docs, docs[0]._replace(unit="again")]) == {
        python_docs.cut("some words " * 5): "email/a:C", "x y": "xml:f"
    }  # fmt: skip


def test_predictions_with_clusters_widen_intervals(tmp_path: Path) -> None:
    """The same outcomes, each of fifty clusters of four alike, with and without the column that says so."""
    random, widths = np.random.default_rng(0), []
    base = np.repeat(random.random(50) < 0.7, 4)
    for clustered in (False, True):
        factory = Factory(tmp_path / str(clustered))
        for seed, one in enumerate(factory.cell("lora", 64, None)):
            own = np.where(np.repeat(np.arange(50) == seed, 4), ~base, base).astype(float)
            record = factory.record(one, scores={"metric": "accuracy", "test": {"accuracy": own.mean()}})
            path = paths.predictions(factory.folder, one.id, record["attempt"])
            table = {"example": np.arange(200), "template": np.zeros(200, dtype=int), "outcome": own}
            pq.write_table(pa.table(table | ({"cluster": np.arange(200) // 4} if clustered else {})), path)
        results = frame.load(factory.finish())
        (row,) = frame.cells(results).to_dict("records")
        (column,) = frame.columns(results)
        assert (column.candidate("lora").clusters is not None) == clustered
        widths.append(row["high"] - row["low"])
    assert widths[1] > 1.5 * widths[0]


def test_a_file_with_rows_without_a_cluster_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    pq.write_table(pa.table({"example": [0, 1], "template": [0, 0], "outcome": [1.0, 0.0], "cluster": [1, None]}), path)
    with pytest.raises(ValueError, match="without a cluster"):
        outcomes.read(path, "accuracy", 0.5)
