"""Translate a text into another language."""

from __future__ import annotations

from typing import Any

from bench.modeling import written
from bench.modeling.examples import Examples
from bench.modeling.written import encode, load

__all__ = ["encode", "load"]

VERSION = 1
MODALITY = "text"
GIVES = "texts"
METRIC = "bleu"
COLUMNS = {"source": True, "target": True}
BASELINE = "copy"
SYSTEM = "Translate the text that the user gives. Answer with the translation and nothing else."


class Parameters(written.Written):
    """template, languages, lengths and decoding."""


def examples(dataset: Any, columns: dict[str, str], parameters: Parameters, place: str) -> Examples:
    """The data set's texts and their references. Raises DataError naming the column and the row."""
    return written.examples(dataset, columns["source"], columns["target"], place)


def baseline(source: str) -> str:
    """What takes no model: the source as it is."""
    return source
