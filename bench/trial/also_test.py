"""also_test sets of a task: other data for the same labels, answered by the same trained model.

Each is one more split of the task's data, called `also-NAME`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from bench.contracts import TaskKind
from bench.data.examples import Examples
from bench.errors import DataError, did_you_mean
from bench.suite.trial import Json, TaskSpec

PREFIX = "also-"


def splits(task: TaskSpec) -> Iterator[tuple[str, str]]:
    """(name, split) of every also_test set of a trial's task."""
    for name in task.get("also_test", {}):
        yield name, PREFIX + name


def title(split: str) -> str:
    """What the suite calls it."""
    return f"also_test {split.removeprefix(PREFIX)}"


def source(task: TaskSpec, location: Json, also: Json, split: str) -> tuple[TaskSpec, Json]:
    """The task, and the place of the data, that a split is of; an also_test set's data stand in it for the task's own.

    also: {name of an also_test set: its place}.
    """
    if not split.startswith(PREFIX):
        return task, location
    name = split.removeprefix(PREFIX)
    entry = task["also_test"][name]
    return {**task, "data": entry["data"], "columns": entry["columns"], "splits": {split: entry["split"]}}, also[name]


def labels_of(task: TaskSpec, split: str) -> Any:
    """What the suite says of a split's labels where they are not as in the task's own data, else None."""
    return task["also_test"][split.removeprefix(PREFIX)].get("labels") if split.startswith(PREFIX) else None


def examples(kind: TaskKind[Any], dataset: Any, columns: Json, parameters: Any, given: Any, place: str) -> Examples:
    """The examples of an also_test set, their labels by the task's numbers.

    given: the set's own labels, as under `labels` of a task, each of them one of the task's words; None where its data
    are read as the task's are. Several values may mean one class, and a class may be missing. Raises DataError.
    """
    own = given if kind.OBJECTIVE != "tags" else _tags(dataset.features[columns["tags"]], given)
    if not own:
        return kind.test_examples(dataset, columns, parameters, place)
    words = parameters.words()
    for word in _words(given or ()):
        if word not in words:
            raise DataError(f"{place}: label '{word}' is none of the task's{did_you_mean(word, words)}")
    meant = _words(own)
    own = own if isinstance(own, dict) else tuple(own)
    found = kind.examples(dataset, columns, parameters.model_copy(update={"labels": own}), place)
    numbers = np.array([words.index(word) if word in words else -1 for word in meant])
    if kind.OBJECTIVE == "classes":
        return Examples(found.inputs, numbers[found.labels], found.targets)
    if kind.OBJECTIVE == "label-sets":
        among = np.eye(len(words), dtype=np.int8)[numbers]  # [own labels, the task's]
        return Examples(found.inputs, found.labels, [(target @ among > 0).astype(np.int8) for target in found.targets])  # type: ignore[union-attr]
    if kind.OBJECTIVE == "masks":
        try:
            return Examples(found.inputs, found.labels, found.targets.renumbered(numbers))  # type: ignore[union-attr]
        except DataError as error:
            raise DataError(f"{place}: {error}") from None
    targets = [numbers[target] for target in found.targets or ()]
    for row, target in enumerate(targets):
        if (target < 0).any():
            word = meant[int(found.targets[row][target < 0][0])]  # type: ignore[index]
            raise DataError(f"{place}, row {row}: label '{word}' is none of the task's{did_you_mean(word, words)}")
    return Examples(found.inputs, found.labels, targets)


def _words(labels: Any) -> list[str]:
    return list(labels.values()) if isinstance(labels, dict) else list(labels)


def _tags(feature: Any, given: Any) -> Any:
    """What tags are called, in the order of their numbers where they have some, which may not be the task's order."""
    inner = getattr(feature, "feature", None)
    names = getattr(inner, "names", None)
    if not isinstance(given, dict) or getattr(inner, "dtype", None) == "string":
        return given or names
    most = max((int(key) for key in given if key.isdecimal()), default=0)
    return [given.get(key, key) for key in names or map(str, range(most + 1))]
