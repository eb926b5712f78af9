"""Labelled examples, and how a data set's label column becomes class numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field, field_validator

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


@dataclass
class Examples:
    """inputs: n texts, pairs of texts, lists of words or images. labels: int64 [n], the classes, or where the task has
    none what subsets are stratified by. targets: what is to be answered where that is no class. shots: (input, answer),
    to stand in the prompt before each."""

    inputs: Sequence[Any]
    labels: np.ndarray
    targets: Sequence[Any] | None = None
    shots: Sequence[tuple[Any, str]] = ()


def class_words(dataset: Any, column: str, parameters: Labelled, place: str) -> list[str]:
    """The task's labels, from the suite or else from the data: its class names, or its sorted distinct values."""
    if parameters.labels:
        return parameters.words()
    names = _class_names(dataset, column)
    if names is not None:
        return list(names)
    values = sorted(set(_values(dataset, column, place)), key=str)
    if len(values) > 1000 or len(values) < 2 or isinstance(values[0], float):
        raise DataError(
            f"{place}: column '{column}' has {len(values)} distinct values; list the task's classes under labels"
        )
    return [str(value) for value in values]


def labels_of(dataset: Any, column: str, parameters: Labelled, place: str) -> np.ndarray:
    """Class numbers, int64 [n], in the order of `parameters.labels`, which must be set by now.

    Looked up by value or class name; where labels are but words for them, class labels and integers count classes.
    Raises DataError with the row.
    """
    values = _values(dataset, column, place)
    keys = list(parameters.labels)
    names = _class_names(dataset, column) or []
    counted = not isinstance(parameters.labels, dict) and not all(map(_is_integer, keys))
    numbers = all(isinstance(v, int) and not isinstance(v, bool) for v in values)
    known: dict[Any, int] = {key: number for number, key in enumerate(keys)}
    if numbers and counted and not (names and (known.keys() <= set(names) or known.keys() >= set(names))):
        _check_order(keys, names, f"{place}, column '{column}'")
        known = {number: number for number in range(len(keys))}
    elif names and (known.keys() <= set(names) or not all(map(_is_integer, keys))):
        values = [names[v] if 0 <= v < len(names) else v for v in values]
    else:
        values = [str(v) for v in values]
    for row, value in enumerate(values):
        if value not in known:
            hint = did_you_mean(value, keys) if isinstance(value, str) else f"; known: {', '.join(map(str, known))}"
            why = " (labels that the Hub hides look like this)" if value in (-1, "-1") else ""
            raise DataError(f"{place}, row {row}, column '{column}': label {value!r} is not among labels{hint}{why}")
    return np.array([known[value] for value in values], dtype=np.int64)


def _values(dataset: Any, column: str, place: str) -> list[Any]:
    """The label column. Raises DataError with the first row that has no label."""
    values = list(dataset[column])
    for row, value in enumerate(values):
        if value is None or value != value:
            raise DataError(
                f"{place}, row {row}, column '{column}': the label is missing; fill it in or leave the row out"
            )
    return values


def _class_names(dataset: Any, column: str) -> list[str] | None:
    import datasets

    feature = dataset.features[column]
    return list(feature.names) if isinstance(feature, datasets.ClassLabel) else None


def _is_integer(text: str) -> bool:
    return text.removeprefix("-").isdecimal()


def _check_order(words: Sequence[str], names: Sequence[str], place: str) -> None:
    """Words for numbered classes stand in the classes' order: one that names another class is in the wrong place."""
    order = {name.casefold(): number for number, name in enumerate(names)}
    for number, word in enumerate(words):
        if order.get(word.casefold(), number) != number:
            raise DataError(
                f"{place}: labels[{number}] is '{word}', which the data calls class {order[word.casefold()]}; give "
                f"labels in the data's order: {', '.join(names)}"
            )
