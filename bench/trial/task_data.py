"""A task's examples, ready to draw from: splits chosen, labels read, leaks into the test split dropped."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench import plugins
from bench.contracts import TaskKind
from bench.data.content import digest
from bench.data.examples import Examples
from bench.data.nested_columns import opened
from bench.data.row_problems import RowsError
from bench.data.seeding import ranks
from bench.errors import DataError
from bench.store.cache import cached
from bench.suite.trial import Json, Limits, TaskSpec
from bench.trial import also_test
from bench.trial import data_summary as summary

SMOKE_SEED = 0
CLUSTER = "cluster"
"""The role, of any kind of task, of a column that says which examples belong together: a document, speaker, source."""


@dataclass
class TaskData:
    """labels: {split: int64 [n]}, clean; rows: {split: row numbers in the data set}; dropped: training examples that
    also stand in the test split, or in an also_test set, and are left out; summary: what they are like; also: where
    also_test sets' data lie."""

    task: TaskSpec
    location: Json
    also: Json
    labels: dict[str, np.ndarray]
    rows: dict[str, np.ndarray]
    dropped: int
    summary: Json = field(default_factory=dict)
    _opened: dict[str, Any] = field(default_factory=dict)
    _examples: dict[str, Examples] = field(default_factory=dict)

    def examples(self, split: str) -> Examples:
        """A split's texts or images, and targets; the data set is opened, and read, when first asked for."""
        if split not in self._examples:
            asked, dataset = self._dataset(split)
            self._examples[split] = _examples(self.task, split, dataset, asked, "the task's data")
        return self._examples[split]

    def kinds_of_targets(self, split: str) -> np.ndarray:
        """A number for each example of a split, int64 [n], the same where targets are."""
        found = self.examples(split).targets
        values = found.tolist() if isinstance(found, np.ndarray) else list(found or [])
        kinds: dict[str, int] = {}
        return np.array([kinds.setdefault(json.dumps(v, default=str), len(kinds)) for v in values], dtype=np.int64)

    def clusters(self, split: str) -> np.ndarray | None:
        """Which of a split's examples belong together, int64 [n]: by the column that the task names as `cluster`, or
        that a corpus of our own has; None where no column says it."""
        asked, _ = also_test.source(self.task, self.location, self.also, split)
        column = asked["columns"].get(CLUSTER, CLUSTER if asked["data"]["source"] == "builtin" else None)
        if column is None:
            return None
        _, dataset = self._dataset(split)
        if column not in dataset.column_names:  # a corpus without any
            return None
        _, found = np.unique([str(value) for value in dataset[column]], return_inverse=True)
        return found.astype(np.int64)

    def _dataset(self, split: str) -> tuple[TaskSpec, Any]:
        """A split's rows, and the task with the data that they are of."""
        asked, location = also_test.source(self.task, self.location, self.also, split)
        origin = "" if asked is self.task else split
        if origin not in self._opened:
            self._opened[origin] = open_splits(asked, location, "the task's data")
        return asked, self._opened[origin][_source_split(asked, split)].select(self.rows[split])


def load(
    task: TaskSpec, location: Json, limits: Limits, place: str = "the task's data", also: Json | None = None
) -> TaskData:
    """The material of a trial's task; what is costly about it is computed once. Raises DataError.

    also: {name of an also_test set: where its data lie}.
    """
    also = also or {}
    folder = cached(
        "splits", {**task, "summary": summary.VERSION}, lambda target: _fill(task, location, also, place, target)
    )
    facts = json.loads((folder / "facts.json").read_text())
    rows = {split: np.load(folder / f"{split}-rows.npy") for split in facts["splits"]}
    labels = {split: np.load(folder / f"{split}-labels.npy") for split in facts["splits"]}
    if limits:
        for split in rows:
            most = limits["examples"] * (4 if split == "train" else 1)
            kept = np.sort(np.argsort(ranks(SMOKE_SEED, f"limit-{split}", len(rows[split])))[:most])
            rows[split], labels[split] = rows[split][kept], labels[split][kept]
    return TaskData(task, location, also, labels, rows, facts["dropped"], facts["summary"])


def task_of(task: TaskSpec) -> tuple[TaskKind[Any], Any]:
    """The task kind's plugin and its parameters."""
    plugin: TaskKind[Any] = plugins.load("tasks", task["kind"])
    return plugin, plugin.Parameters.model_validate(task["parameters"])


def open_splits(task: TaskSpec, location: Json, place: str) -> Any:
    """The data set's splits, with the columns the task needs in each that is used, those inside columns too.

    Raises DataError.
    """
    source = plugins.load("data_sources", task["data"]["source"])
    parameters = source.Parameters.model_validate(task["data"]["parameters"] | location)
    found = dict(source.fetch(parameters, task["data"]["fingerprint"]))
    plugin = plugins.load("tasks", task["kind"])
    for role in task["columns"]:
        if role not in (*plugin.COLUMNS, CLUSTER):
            takes = ", ".join((*plugin.COLUMNS, CLUSTER))
            raise DataError(f"{place}: {task['kind']} has no column '{role}'; it takes {takes}")
    for split in task["splits"]:
        name = _source_split(task, split)
        if name not in found:
            way = "splits, or give `test` as a fraction of train" if "train" in task["splits"] else "split"
            raise DataError(f"{place}: no split '{name}'; the data has {', '.join(found)}; name one under {way}")
        for role, named in task["columns"].items():
            whole = role not in plugin.SEVERAL or named in found[name].column_names
            for column in [named] if whole else [part.strip() for part in named.split(",")]:
                found[name] = opened(found[name], role, column, f"{place}, split {name}")
    return found


def _source_split(task: TaskSpec, split: str) -> str:
    name = task["splits"][split]
    return str(task["splits"]["train"] if isinstance(name, float) else name)


def _examples(task: TaskSpec, split: str, dataset: Any, asked: TaskSpec, place: str) -> Examples:
    """asked: the task with the data that the split is of."""
    plugin, parameters = task_of(task)
    if split not in task["splits"]:
        given = also_test.labels_of(task, split)
        return also_test.examples(plugin, dataset, asked["columns"], parameters, given, place)
    judged = split == "test" and isinstance(task["splits"]["test"], str)
    read = plugin.test_examples if judged else plugin.examples
    return read(dataset, asked["columns"], parameters, place)


def place_of(task: TaskSpec, location: Json, split: str) -> Callable[[list[int]], str]:
    """Where rows of a split stand in their file, as far as the source can tell."""
    source = plugins.load("data_sources", task["data"]["source"])
    parameters = source.Parameters.model_validate(task["data"]["parameters"] | location)
    return lambda rows: source.places(parameters, _source_split(task, split), rows) or ""


def _fill(task: TaskSpec, location: Json, also: Json, place: str, target: Path) -> None:
    examples, rows, wrong = {}, {}, list[str]()
    for origin, names in (("", list(task["splits"])), *((split, [split]) for _, split in also_test.splits(task))):
        asked, own_location = also_test.source(task, location, also, origin)
        where = f"{place}, {also_test.title(origin)}" if origin else place
        found = open_splits(asked, own_location, where)
        for split in names:
            dataset = found[_source_split(asked, split)]
            here = f"{where}, split {_source_split(asked, split)}"
            if len(dataset) == 0:
                raise DataError(f"{here}: it has no examples")
            try:
                examples[split] = _examples(task, split, dataset, asked, here)
            except RowsError as error:
                wrong.append(str(error.at(place_of(asked, own_location, split))))
            rows[split] = np.arange(len(dataset))
    if wrong:
        raise DataError("; also ".join(dict.fromkeys(wrong)))
    keys = {split: [digest(value) for value in found.inputs] for split, found in examples.items()}
    fraction = task["splits"]["test"]
    if isinstance(fraction, float):  # by content, so that equal examples fall on one side
        share = np.array([int.from_bytes(key[:8], "big") / 2**64 for key in keys["train"]])
        rows["train"], rows["test"] = np.flatnonzero(share >= fraction), np.flatnonzero(share < fraction)
    judged = {"test", *(split for _, split in also_test.splits(task))}
    tested = {keys[split][row] for split in judged for row in rows[split]}
    dropped = 0
    for split in set(rows) - judged:
        fresh = np.array([row for row in rows[split] if keys[split][row] not in tested], dtype=np.int64)
        dropped += len(rows[split]) - len(fresh)
        rows[split] = fresh
    for split in rows:
        if len(rows[split]) == 0:
            raise DataError(f"{place}: {_nothing_left(task, split, len(keys[split]))}")
        np.save(target / f"{split}-rows.npy", rows[split])
        np.save(target / f"{split}-labels.npy", examples[split].labels[rows[split]])
    kind, parameters = task_of(task)
    words = parameters.words()
    told = summary.describe(kind, words, examples, rows, keys, dropped)
    deep = sum(
        len(getattr(found.inputs, "deep", set()) & set(rows[split].tolist())) for split, found in examples.items()
    )
    if deep:
        told["remarks"].append(f"{deep} images of 16 bits a pixel were scaled to 8, by 65,535 to 255")
    (target / "facts.json").write_text(json.dumps({"splits": list(rows), "dropped": dropped, "summary": told}))


def _nothing_left(task: TaskSpec, split: str, count: int) -> str:
    """Why a split is empty once the examples of the test split are taken out."""
    names = task["splits"]
    if isinstance(names["test"], float):
        return f"no example is left for {split}: by content, all {count} fall to one side of `test: {names['test']:g}`"
    if names[split] == names["test"]:
        return (
            f"{split} and test both name the split '{names['test']}', so nothing is left to learn from; name another "
            "under splits, or give `test` as a fraction of train (splits: {test: 0.2})"
        )
    return (
        f"all {count} examples of the split '{names[split]}' also stand in the test split '{names['test']}' and are "
        f"left out; are they the same file? Name another, or give `test` as a fraction of train (splits: {{test: 0.2}})"
    )
