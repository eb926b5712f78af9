"""Say in a few sentences what a text says."""

from __future__ import annotations

from typing import Any

from bench.modeling import written
from bench.modeling.examples import Examples
from bench.modeling.written import encode, load

__all__ = ["encode", "load"]

VERSION = 1
MODALITY = "text"
GIVES = "texts"
METRIC = "rouge-l"
COLUMNS = {"document": True, "summary": True}
BASELINE = "lead"
SYSTEM = "Summarise the text that the user gives. Answer with the summary and nothing else."


class Parameters(written.Written):
    """template, languages, lengths and decoding."""


def examples(dataset: Any, columns: dict[str, str], parameters: Parameters, place: str) -> Examples:
    """The data set's texts and their references. Raises DataError naming the column and the row."""
    return written.examples(dataset, columns["document"], columns["summary"], place)


def baseline(source: str) -> str:
    """What takes no model: its first three sentences."""
    return " ".join(written.sentences(source)[:3])
