"""Labelled examples, and how a data set's label column becomes class numbers."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field, field_validator

from bench.data.row_problems import Problems
from bench.errors import DataError, did_you_mean
from bench.suite.parameters import TaskParameters


class Labelled(TaskParameters):
    """What every classification takes."""

    labels: tuple[str, ...] | dict[str, str] = Field(
        (), description="the words zero-shot uses, in class order, or {value in the data: word}; empty: the data's own"
    )
    templates: tuple[str, ...] = Field((), description="for zero-shot, with {text} and {label}; empty: the defaults")
    label_map: dict[str, str] = Field({}, description="{label of the model's own head: label of the task}")

    @field_validator("labels")
    @classmethod
    def _distinct(cls, labels: tuple[str, ...] | dict[str, str]) -> tuple[str, ...] | dict[str, str]:
        words = list(labels.values()) if isinstance(labels, dict) else list(labels)
        if len(words) == 1 or len(set(words)) != len(words):
            raise ValueError("at least two labels, no two alike")
        return dict(sorted(labels.items())) if isinstance(labels, dict) else labels  # ids and locks know no order

    def words(self) -> list[str]:
        """The labels' words, in class order; empty where the data must tell."""
        return list(self.labels.values()) if isinstance(self.labels, dict) else list(self.labels)

    def own_templates(self) -> tuple[str, ...]:
        """The templates that the suite names."""
        return self.templates

    def own_label_map(self) -> Mapping[str, str]:
        """{label of the model's own head: label of the task}."""
        return self.label_map


@dataclass
class Examples:
    """inputs: n texts, pairs of texts, lists of words or images. labels: int64 [n], the classes, or where the task has
    none what subsets are stratified by. targets: what is to be answered where that is no class. shots: (input, answer),
    to stand in the prompt before each."""

    inputs: Sequence[Any]
    labels: np.ndarray
    targets: Sequence[Any] | None = None
    shots: Sequence[tuple[Any, str]] = ()


def class_words(dataset: Any, column: str, parameters: Labelled, place: str, *, sets: bool = False) -> list[str]:
    """The task's labels, from the suite or else from the data: its class names, or its sorted distinct values.

    sets: whether the column holds a list of labels for each example.
    """
    if parameters.labels:
        return parameters.words()
    names = _class_names(dataset, column, place)
    if names is not None:
        return names
    found = _flat(dataset, column, place)[1] if sets else _whole(_values(dataset, column, place))
    values = sorted(set(found), key=str)
    fraction = next((value for value in values if isinstance(value, float)), None)
    if fraction is not None:
        raise DataError(
            f"{place}: column '{column}' holds numbers such as {fraction}, which are no classes; `kind: "
            "text-regression` predicts numbers"
        )
    if len(values) > 1000 or len(values) < 2:
        few = f": {values[0]!r} alone" if len(values) == 1 else ""
        raise DataError(
            f"{place}: column '{column}' has {len(values)} distinct value{'s' * (len(values) != 1)}{few}, and classes "
            "are 2 to 1000; name another column, or list the task's classes under labels"
        )
    return [str(value) for value in values]


def labels_of(dataset: Any, column: str, parameters: Labelled, place: str) -> np.ndarray:
    """Class numbers, int64 [n], in the order of `parameters.labels`, which must be set by now.

    Looked up by value or class name; where labels are but words for them, class labels and integers count classes.
    Raises DataError with the row.
    """
    values = _whole(_values(dataset, column, place), parameters.labels)
    return _numbers(dataset, column, parameters, place, range(len(values)), values)


def label_sets_of(dataset: Any, column: str, parameters: Labelled, place: str) -> np.ndarray:
    """Which labels each example has, 0 or 1, int8 [n, labels], looked up as `labels_of` does.

    Raises DataError with the row.
    """
    rows, values = _flat(dataset, column, place)
    found = np.zeros((len(dataset[column]), len(parameters.labels)), dtype=np.int8)
    np.add.at(found, (np.array(rows, dtype=np.int64), _numbers(dataset, column, parameters, place, rows, values)), 1)
    problems = Problems(place)
    for row, label in np.argwhere(found > 1).tolist():
        problems.add(
            row, column, f"names label '{parameters.words()[label]}' twice; give every example a list of its labels, "
            "not a number for each label there is", "twice"
        )  # fmt: skip
    problems.check()
    return found


def rarest(kinds: Sequence[Set[Any]]) -> np.ndarray:
    """What subsets are stratified by where an example is of several kinds: the rarest of them, counted from 1 in the
    kinds' order, and 0 where there is none; int64 [n]."""
    counts = Counter(kind for found in kinds for kind in found)
    order = {kind: number for number, kind in enumerate(sorted(counts), start=1)}
    chosen = [min(found, key=lambda kind: (counts[kind], kind), default=None) for found in kinds]
    return np.array([0 if kind is None else order[kind] for kind in chosen], dtype=np.int64)


def _numbers(
    dataset: Any, column: str, parameters: Labelled, place: str, rows: Sequence[int], values: list[Any]
) -> np.ndarray:
    """Class numbers of values that stand in these rows, int64."""
    keys = list(parameters.labels)
    names = _class_names(dataset, column, place) or []
    counted = not isinstance(parameters.labels, dict) and not all(map(_is_integer, keys))
    numbers = all(isinstance(v, int) and not isinstance(v, bool) for v in values)
    known: dict[Any, int] = {key: number for number, key in enumerate(keys)}
    if numbers and counted and not (names and (known.keys() <= set(names) or known.keys() >= set(names))):
        check_order(keys, names, f"{place}, column '{column}'")
        known = {number: number for number in range(len(keys))}
    elif names and (known.keys() <= set(names) or not all(map(_is_integer, keys))):
        values = [names[v] if 0 <= v < len(names) else v for v in values]
    else:
        values = [str(v) for v in values]
    problems = Problems(place)
    for row, value in zip(rows, values, strict=True):
        if value not in known:
            problems.add(row, column, _unknown(value, tuple(keys), tuple(known)))
    problems.check()
    return np.array([known[value] for value in values], dtype=np.int64)


@functools.cache
def _unknown(value: Any, keys: tuple[str, ...], known: tuple[Any, ...]) -> str:
    hint = f"; known: {', '.join(str(one)[:40] for one in known)}"
    if isinstance(value, str):
        hint = did_you_mean(value[:40], [key[:40] for key in keys])
    why = " (labels that the Hub hides look like this)" if value in (-1, "-1") else ""
    value = value[:40] if isinstance(value, str) else value
    return f"label {value!r} is not among labels{hint}{why}"


def _values(dataset: Any, column: str, place: str, *, sets: bool = False) -> list[Any]:
    """The label column. Raises DataError with the rows that have no label."""
    values = list(dataset[column])
    problems = Problems(place)
    for row, value in enumerate(values):
        if value is None or value != value:
            problems.add(row, column, "the label is missing; fill it in or leave the row out")
        elif isinstance(value, list) and not sets:
            said = (
                f"{str(value)[:40]} is a list; `kind: multi-label-classification` takes any number of labels an example"
            )
            problems.add(row, column, said, "list")
    problems.check()
    return values


def _whole(values: list[Any], keys: Collection[str] = ()) -> list[Any]:
    """Of numbers such as 1.0, which pandas makes of 1 where a field is empty, the whole ones, unless keys hold 1.0."""
    if all(isinstance(value, float) and value.is_integer() and str(value) not in keys for value in values):
        return [int(value) for value in values]
    return values


def _flat(dataset: Any, column: str, place: str) -> tuple[list[int], list[Any]]:
    """The labels in a column of lists, one after another, and their rows. Raises DataError with the rows."""
    rows: list[int] = []
    values: list[Any] = []
    problems = Problems(place)
    for row, found in enumerate(_values(dataset, column, place, sets=True)):
        if not isinstance(found, list) or any(value is None or isinstance(value, list) for value in found):
            said = (
                f"{str(found)[:40]!r} is no list of labels; give every example a list, which jsonl and parquet can hold"
            )
            problems.add(row, column, said, "no list")
            continue
        rows += [row] * len(found)
        values += found
    problems.check()
    return rows, values


def _class_names(dataset: Any, column: str, place: str) -> list[str] | None:
    import datasets

    feature = getattr(dataset.features[column], "feature", dataset.features[column])  # a list's is that of its items
    return checked(feature.names, column, place) if isinstance(feature, datasets.ClassLabel) else None


def checked(names: Sequence[Any], column: str, place: str) -> list[str]:
    """What the data call the classes of a column. Raises DataError where that is no text."""
    odd = next((name for name in names if not isinstance(name, str)), "")
    if odd != "":
        raise DataError(f"{place}, column '{column}': the data call a class {odd!r}, which is no name; write them anew")
    return list(names)


def _is_integer(text: str) -> bool:
    return text.removeprefix("-").isdecimal()


def check_order(words: Sequence[str], names: Sequence[str], place: str) -> None:
    """Words for numbered classes stand in the classes' order. Raises DataError for one that names another class."""
    folded = [name.casefold() for name in names]
    for number, word in enumerate(words):
        named = [at for at, name in enumerate(folded) if name == word.casefold()]
        if named and number not in named:
            raise DataError(
                f"{place}: labels[{number}] is '{word}', which the data calls class {named[0]}; give "
                f"labels in the data's order: {', '.join(names)}"
            )
