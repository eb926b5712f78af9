"""Any number of labels, none among them, for a text or a pair of texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.data.column_kinds import LABELS, MOST_LABELS, Fit, Table
from bench.data.examples import Examples, class_words, label_sets_of, rarest
from bench.data.row_problems import Problems
from bench.errors import DataError
from bench.modeling.encoding.text_inputs import TextInputs, inputs
from bench.tasks.text_classification import TextClassificationParameters


class MultiLabelClassification(TextInputs[TextClassificationParameters]):
    """Any number of labels a text."""

    Parameters = TextClassificationParameters
    VERSION = 1
    OBJECTIVE = "label-sets"
    METRIC = "micro-f1"
    COLUMNS = {"text": True, "text_pair": False, "labels": True}
    SEVERAL = ("labels",)

    def recognise(self, table: Table) -> Fit | None:
        """A text, and lists of labels; or several columns of 0 and 1."""
        inputs = table.inputs()
        lists = [name for name in table.of("lists of texts", "lists of numbers") if _repeats(table, name)]
        marks = [name for name in table.names if name not in inputs.values() and _marks(table, name)]
        named = table.called(("labels", "tags", "categories", "topics", "genres", "emotions"), lists)
        label = table.label or named or next(iter(lists), None) or ", ".join(marks)
        model, length = (
            table.model("sentence-transformers/all-MiniLM-L6-v2", *inputs.values()),
            table.tokens(*inputs.values()),
        )
        own: dict[str, Any] = {"metrics": ["micro-f1", "label-macro-f1"], "max_length": length}
        if not inputs:
            return None
        if label in lists:
            values = sorted({value for row in table.data[label] for value in row or ()}, key=str)
            if not hasattr(getattr(table.data.features[label], "feature", None), "names"):
                own = {"labels": {str(value): str(value) for value in values}, **own}
            return Fit({**inputs, "labels": label}, 0.7, f"'{label}' holds lists of labels", model, own)
        columns = table.several(label)
        if not {*columns} <= {*marks} or len(columns) < 2 or (table.called(LABELS, columns) and not table.label):
            return None
        own = {"labels": {name: name for name in columns}, **own}
        return Fit({**inputs, "labels": label}, 0.65 + 0.03 * len(columns), f"'{label}' hold 0 and 1", model, own)

    def label_words(
        self, dataset: Any, columns: Mapping[str, str], parameters: TextClassificationParameters, place: str
    ) -> list[str]:
        """The labels' words, from the suite or the data. Raises DataError."""
        if columns["labels"] not in dataset.column_names:
            return parameters.words() or names_of(columns["labels"])
        return class_words(dataset, columns["labels"], parameters, place, sets=True)

    def examples(
        self, dataset: Any, columns: Mapping[str, str], parameters: TextClassificationParameters, place: str
    ) -> Examples:
        """The data set's texts (or pairs), and their labels as int8 [n, labels] of 0 and 1; subsets are stratified by
        the rarest label an example has. Raises DataError naming the column, row and value at fault."""
        if columns["labels"] in dataset.column_names:
            targets = label_sets_of(dataset, columns["labels"], parameters, place)
        else:
            targets = _of_columns(dataset, names_of(columns["labels"]), parameters, place)
        strata = rarest([set(np.flatnonzero(row).tolist()) for row in targets])
        return Examples(inputs(dataset, columns, place), strata, list(targets))


def _repeats(table: Table, column: str) -> bool:
    """Whether a column of lists holds a few values again and again."""
    every = [value for row in table.rows[column] for value in row or ()]
    return 2 <= len(set(every)) <= min(MOST_LABELS, len(every) // 2)


def _marks(table: Table, column: str) -> bool:
    """Whether a column holds 0 and 1, or false and true, alone."""
    known = {0, 1} if table.types[column] in ("whole numbers", "numbers", "truth values") else set()
    return table.distinct(column) == 2 and set(table.rows[column]) <= known if known else False


def names_of(columns: str) -> list[str]:
    """The columns that a label each has, of several."""
    return [name.strip() for name in columns.split(",")]


def _of_columns(dataset: Any, names: list[str], parameters: TextClassificationParameters, place: str) -> np.ndarray:
    """What several columns of 0 and 1 say, int8 [n, labels]: those called like the labels, or as many in their order.

    Raises DataError with the row.
    """
    keys = list(parameters.labels)
    if set(keys) != set(names) and (isinstance(parameters.labels, dict) or len(keys) != len(names)):
        raise DataError(
            f"{place}: labels are {', '.join(keys)}, their columns {', '.join(names)}; give every column one, by its "
            "name or in this order"
        )
    problems = Problems(place)
    found = np.zeros((len(dataset), len(names)), dtype=np.int8)
    for number, name in enumerate(keys if set(keys) == set(names) else names):
        for row, value in enumerate(dataset[name]):
            if value in (0, 1):
                found[row, number] = value
            else:
                problems.add(row, name, f"expected 0 or 1, found {str(value)[:40]!r}; correct it or leave the row out")
    problems.check()
    return found
