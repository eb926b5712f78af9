"""Say in a few sentences what a text says."""

from __future__ import annotations

from bench.data.column_kinds import Fit, Table
from bench.modeling.encoding import references
from bench.modeling.encoding.references import GenerationParameters, GenerationTask


class Summarization(GenerationTask[GenerationParameters]):
    """A summary a document."""

    Parameters = GenerationParameters
    VERSION = 1
    METRIC = "rouge-l"
    COLUMNS = {"document": True, "summary": True}
    BASELINE = "lead"
    SYSTEM = "Summarise the text that the user gives. Answer with the summary and nothing else."

    def recognise(self, table: Table) -> Fit | None:
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

    def baseline(self, source: str) -> str:
        """What takes no model: its first three sentences."""
        return " ".join(references.sentences(source)[:3])
