"""A number for a text or a pair of texts: how similar two sentences are, how hard a text is to read."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from bench.errors import DataError
from bench.modeling.examples import Examples
from bench.modeling.problems import Problems
from bench.suite.parameters import TaskParameters
from bench.tasks import text_classification
from bench.tasks.text_classification import encode, load

__all__ = ["encode", "load"]

VERSION = 1
MODALITY = "text"
GIVES = "values"
METRIC = "spearman"
COLUMNS = {"text": True, "text_pair": False, "value": True}
STRATA = 10
"""By how many quantiles of the value subsets are stratified."""


class Parameters(TaskParameters):
    """max_length in tokens."""

    max_length: Annotated[int, Field(ge=4)] = Field(128, description="tokens; longer texts are cut")


def examples(dataset: Any, columns: dict[str, str], parameters: Parameters, place: str) -> Examples:
    """The data set's texts (or pairs) and values; subsets are stratified by the value's quantiles.

    Raises DataError naming the column, rows and a value.
    """
    values = list(dataset[columns["value"]])
    problems = Problems(place)
    for row, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            way = (
                "write it with a point" if re.fullmatch(r"-?\d+,\d+", str(value)) else "correct it or leave the row out"
            )
            problems.add(row, columns["value"], f"{_short(value)} is no number; {way}", "no number")
    problems.check()
    if len(values) > 1 and set(values) == {-1}:
        raise DataError(
            f"{place}, column '{columns['value']}': every value is -1 (values that the Hub hides look like this)"
        )
    edges = np.unique(np.quantile(values, np.arange(1, STRATA) / STRATA))
    strata = np.searchsorted(edges, values)
    return Examples(text_classification.inputs(dataset, columns, place), strata, [float(value) for value in values])


def _short(value: Any) -> str:
    return repr(value[:40] if isinstance(value, str) else value)
