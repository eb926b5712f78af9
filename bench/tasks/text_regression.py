"""A number for a text or a pair of texts: how similar two sentences are, how hard a text is to read."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from bench.data.column_kinds import LABELS, VALUES, Fit, Table
from bench.data.examples import Examples
from bench.data.row_problems import Problems
from bench.errors import DataError
from bench.modeling.encoding.text_inputs import TextInputs, inputs
from bench.suite.parameters import TaskParameters

STRATA = 10
"""By how many quantiles of the value subsets are stratified."""


class TextRegressionParameters(TaskParameters):
    """max_length in tokens."""

    max_length: Annotated[int, Field(ge=4)] = Field(128, description="tokens; longer texts are cut")

    def most_tokens(self) -> int:
        """Tokens of an example that a model reads."""
        return self.max_length


class TextRegression(TextInputs[TextRegressionParameters]):
    """A number a text."""

    Parameters = TextRegressionParameters
    VERSION = 1
    OBJECTIVE = "values"
    METRIC = "spearman"
    COLUMNS = {"text": True, "text_pair": False, "value": True}

    def recognise(self, table: Table) -> Fit | None:
        """A text, or two that belong together, and a column of many numbers."""
        inputs = table.inputs()
        numbers = [
            name for name in table.of("numbers", "whole numbers", but=list(inputs.values())) if _is_measure(table, name)
        ]
        named = table.called([*VALUES, *LABELS], numbers)
        value = table.label or named or next((name for name in numbers if table.types[name] == "numbers"), None)
        if not inputs or value not in numbers:
            return None
        because = f"'{value}' holds {table.distinct(value)} different numbers"
        own = {"metrics": ["spearman", "pearson"], "max_length": table.tokens(*inputs.values())}
        model, asks = table.model("sentence-transformers/all-MiniLM-L6-v2", *inputs.values()), "text_pair" in inputs
        sure = 0.3 if table.is_label(value) else 0.72 if named or table.label else 0.5
        return Fit({**inputs, "value": value}, sure, because, model, own, asks)

    def examples(
        self, dataset: Any, columns: Mapping[str, str], parameters: TextRegressionParameters, place: str
    ) -> Examples:
        """The data set's texts (or pairs) and values; subsets are stratified by the value's quantiles.

        Raises DataError naming the column, rows and a value.
        """
        values = list(dataset[columns["value"]])
        problems = Problems(place)
        for row, value in enumerate(values):
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                way = (
                    "write it with a point"
                    if re.fullmatch(r"-?\d+,\d+", str(value))
                    else "correct it or leave the row out"
                )
                problems.add(row, columns["value"], f"{_short(value)} is no number; {way}", "no number")
        problems.check()
        if len(values) > 1 and set(values) == {-1}:
            raise DataError(
                f"{place}, column '{columns['value']}': every value is -1 (values that the Hub hides look like this)"
            )
        edges = np.unique(np.quantile(values, np.arange(1, STRATA) / STRATA))
        strata = np.searchsorted(edges, values)
        return Examples(inputs(dataset, columns, place), strata, [float(value) for value in values])


def _is_measure(table: Table, name: str) -> bool:
    """Whether numbers are measured: several, and none of them missing."""
    return table.distinct(name) > 2 and all(v is not None and math.isfinite(v) for v in table.rows[name])


def _short(value: Any) -> str:
    return repr(value[:40] if isinstance(value, str) else value)
