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
        return labels

    def words(self) -> list[str]:
        """The labels' words, in class order; empty where the data must tell."""
        return list(self.labels.values()) if isinstance(self.labels, dict) else list(self.labels)


@dataclass
class Examples:
    """inputs: n texts, pairs of texts or images; labels: int64 [n]."""

    inputs: Sequence[Any]
    labels: np.ndarray


def class_words(dataset: Any, column: str, parameters: Labelled, place: str) -> list[str]:
    """The task's labels, from the suite or else from the data: its class names, or its sorted distinct values."""
    import datasets

    if parameters.labels:
        return parameters.words()
    feature = dataset.features[column]
    if isinstance(feature, datasets.ClassLabel):
        return list(feature.names)
    values = sorted(set(dataset[column]), key=str)
    if len(values) > 1000 or len(values) < 2 or isinstance(values[0], float):
        raise DataError(
            f"{place}: column '{column}' has {len(values)} distinct values; list the task's classes under labels"
        )
    return [str(value) for value in values]


def labels_of(dataset: Any, column: str, parameters: Labelled, place: str) -> np.ndarray:
    """Class numbers, int64 [n], in the order of `parameters.labels`, which must be set by now.

    A class-label or integer column counts classes; any other is looked up by value. Raises DataError with the row.
    """
    values = dataset[column]
    keys = list(parameters.labels)
    by_number = all(isinstance(v, int) and not isinstance(v, bool) for v in values)
    known: dict[Any, int]
    if by_number and not (set(map(str, values)) <= set(keys)):
        known = {number: number for number in range(len(keys))}
    else:
        known = {key: number for number, key in enumerate(keys)}
        values = [str(v) for v in values]
    for row, value in enumerate(values):
        if value not in known:
            hint = did_you_mean(value, keys) if isinstance(value, str) else f"; known: 0 to {len(keys) - 1}"
            why = " (labels that the Hub hides look like this)" if value == -1 else ""
            raise DataError(f"{place}, row {row}, column '{column}': label {value!r} is not among labels{hint}{why}")
    return np.array([known[value] for value in values], dtype=np.int64)
