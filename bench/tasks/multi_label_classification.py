"""Any number of labels, none among them, for a text or a pair of texts."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.modeling.examples import Examples, class_words, label_sets_of, rarest
from bench.tasks import text_classification
from bench.tasks.text_classification import encode, load

__all__ = ["encode", "load"]

VERSION = 1
MODALITY = "text"
GIVES = "label-sets"
METRIC = "micro-f1"
COLUMNS = {"text": True, "text_pair": False, "labels": True}


class Parameters(text_classification.Parameters):
    """labels, templates, label_map as for every classification; max_length in tokens."""


def label_words(dataset: Any, columns: dict[str, str], parameters: Parameters, place: str) -> list[str]:
    """The labels' words, from the suite or the data. Raises DataError."""
    return class_words(dataset, columns["labels"], parameters, place, sets=True)


def examples(dataset: Any, columns: dict[str, str], parameters: Parameters, place: str) -> Examples:
    """The data set's texts (or pairs), and their labels as int8 [n, labels] of 0 and 1; subsets are stratified by the
    rarest label an example has. Raises DataError naming the column, row and value at fault."""
    targets = label_sets_of(dataset, columns["labels"], parameters, place)
    strata = rarest([set(np.flatnonzero(row).tolist()) for row in targets])
    return Examples(text_classification.inputs(dataset, columns, place), strata, list(targets))
