"""Say in a few sentences what a text says."""

from __future__ import annotations

from typing import Any

from bench.data.column_kinds import Fit, Table
from bench.data.examples import Examples
from bench.modeling.encoding import references
from bench.modeling.encoding.references import encode, load

__all__ = ["encode", "load"]

VERSION = 1
MODALITY = "text"
GIVES = "texts"
OBJECTIVE = GIVES
METRIC = "rouge-l"
COLUMNS = {"document": True, "summary": True}
BASELINE = "lead"
SYSTEM = "Summarise the text that the user gives. Answer with the summary and nothing else."


class Parameters(references.Written):
    """template, languages, lengths and decoding."""


def recognise(table: Table) -> Fit | None:
    """A long text, and a shorter one called a summary."""
    prose = [
        name for name in table.of("texts", "lists of texts") if table.types[name] != "texts" or table.is_free(name)
    ]
    summary = table.label or table.called(("summary", "highlights", "abstract", "tldr", "headline", "title"), prose)
    rest = [name for name in prose if name != summary]
    document = table.text or table.called(
        ("document", "article", "text", "dialogue", "body", "content", "source"), rest
    )
    if document not in rest or summary not in prose or table.length(document) <= table.length(summary):
        return None
    metrics = ["rouge-l-char"] if table.is_unspaced(summary) else ["rouge-l", "rouge1", "rouge2"]
    own = {"template": "summarize: {text}", "metrics": metrics, **references.lengths(table, document, summary)}
    because = f"'{summary}' is shorter than '{document}'"
    return Fit({"document": document, "summary": summary}, 0.85, because, "google-t5/t5-small", own, asks=True)


def examples(dataset: Any, columns: dict[str, str], parameters: Parameters, place: str) -> Examples:
    """The data set's texts and their references. Raises DataError naming the column and the row."""
    return references.examples(dataset, columns["document"], columns["summary"], place)


def baseline(source: str) -> str:
    """What takes no model: its first three sentences."""
    return " ".join(references.sentences(source)[:3])
