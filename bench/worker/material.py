"""A task's examples, ready to draw from: splits chosen, labels read, leaks into the test split dropped."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench import plugins
from bench.errors import DataError
from bench.modeling.examples import Examples
from bench.store.cache import cached
from bench.suite.trial import Json
from bench.training.seeding import ranks
from bench.worker.columns import opened

SMOKE_SEED = 0


@dataclass
class Material:
    """labels: {split: int64 [n]}, clean; rows: {split: row numbers in the data set}; dropped: training examples that
    also stand in the test split and are left out."""

    task: Json
    location: Json
    labels: dict[str, np.ndarray]
    rows: dict[str, np.ndarray]
    dropped: int
    _splits: dict[str, Any] | None = None
    _examples: dict[str, Examples] = field(default_factory=dict)

    def examples(self, split: str) -> Examples:
        """A split's texts or images, and targets; the data set is opened, and read, when first asked for."""
        if self._splits is None:
            self._splits = open_splits(self.task, self.location, "the task's data")
        if split not in self._examples:
            plugin, parameters = task_of(self.task)
            dataset = self._splits[_source_split(self.task, split)].select(self.rows[split])
            self._examples[split] = plugin.examples(dataset, self.task["columns"], parameters, "the task's data")
        return self._examples[split]


def load(task: Json, location: Json, limits: Json, place: str = "the task's data") -> Material:
    """The material of a trial's task; what is costly about it is computed once. Raises DataError."""
    folder = cached("splits", task, lambda target: _fill(task, location, place, target))
    facts = json.loads((folder / "facts.json").read_text())
    rows = {split: np.load(folder / f"{split}-rows.npy") for split in facts["splits"]}
    labels = {split: np.load(folder / f"{split}-labels.npy") for split in facts["splits"]}
    if limits:
        for split in rows:
            most = limits["examples"] * (4 if split == "train" else 1)
            kept = np.sort(np.argsort(ranks(SMOKE_SEED, f"limit-{split}", len(rows[split])))[:most])
            rows[split], labels[split] = rows[split][kept], labels[split][kept]
    return Material(task, location, labels, rows, facts["dropped"])


def task_of(task: Json) -> tuple[Any, Any]:
    """The task kind's plugin and its parameters."""
    plugin = plugins.load("tasks", task["kind"])
    return plugin, plugin.Parameters.model_validate(task["parameters"])


def open_splits(task: Json, location: Json, place: str) -> Any:
    """The data set's splits, with the columns the task needs in each that is used, those inside columns too.

    Raises DataError.
    """
    source = plugins.load("data", task["data"]["source"])
    parameters = source.Parameters.model_validate(task["data"]["parameters"] | location)
    found = dict(source.fetch(parameters, task["data"]["fingerprint"]))
    plugin = plugins.load("tasks", task["kind"])
    for role in task["columns"]:
        if role not in plugin.COLUMNS:
            raise DataError(f"{place}: {task['kind']} has no column '{role}'; it takes {', '.join(plugin.COLUMNS)}")
    for split in task["splits"]:
        name = _source_split(task, split)
        if name not in found:
            raise DataError(
                f"{place}: no split '{name}'; the data has {', '.join(found)}; name one under splits, or give "
                f"`test` as a fraction of train"
            )
        for role, column in task["columns"].items():
            found[name] = opened(found[name], role, column, f"{place}, split {name}")
    return found


def _source_split(task: Json, split: str) -> str:
    name = task["splits"][split]
    return str(task["splits"]["train"] if isinstance(name, float) else name)


def _fill(task: Json, location: Json, place: str, target: Path) -> None:
    plugin, parameters = task_of(task)
    found = open_splits(task, location, place)
    examples, rows = {}, {}
    for split in task["splits"]:
        dataset = found[_source_split(task, split)]
        where = f"{place}, split {_source_split(task, split)}"
        if len(dataset) == 0:
            raise DataError(f"{where}: it has no examples")
        examples[split] = plugin.examples(dataset, task["columns"], parameters, where)
        rows[split] = np.arange(len(dataset))
    keys = {split: [_key(value) for value in found.inputs] for split, found in examples.items()}
    fraction = task["splits"]["test"]
    if isinstance(fraction, float):  # by content, so that equal examples fall on one side
        share = np.array([int.from_bytes(key[:8], "big") / 2**64 for key in keys["train"]])
        rows["train"], rows["test"] = np.flatnonzero(share >= fraction), np.flatnonzero(share < fraction)
    tested = {keys["test"][row] for row in rows["test"]}
    dropped = 0
    for split in set(rows) - {"test"}:
        fresh = np.array([row for row in rows[split] if keys[split][row] not in tested], dtype=np.int64)
        dropped += len(rows[split]) - len(fresh)
        rows[split] = fresh
    for split in rows:
        if len(rows[split]) == 0:
            raise DataError(f"{place}, split {split}: no example is left after those of the test split are taken out")
        np.save(target / f"{split}-rows.npy", rows[split])
        np.save(target / f"{split}-labels.npy", examples[split].labels[rows[split]])
    (target / "facts.json").write_text(json.dumps({"splits": list(rows), "dropped": dropped}))


def _key(value: Any) -> bytes:
    """A digest of one input: text, several texts, turns of a conversation, or an image's pixels as models see them."""
    if hasattr(value, "convert"):
        content = repr(value.size).encode() + value.convert("RGB").tobytes()
    elif isinstance(value, str) or all(isinstance(part, str) for part in value):
        content = "\0".join([value] if isinstance(value, str) else value).encode()
    else:
        content = json.dumps(value, ensure_ascii=False).encode()
    return hashlib.sha256(content).digest()
