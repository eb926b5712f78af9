"""Translate a text into another language."""

from __future__ import annotations

import re

from bench.data.column_kinds import Fit, Table
from bench.modeling.encoding import references
from bench.modeling.encoding.references import GenerationParameters, GenerationTask

LANGUAGE = r"[a-z]{2,3}([_-][A-Za-z]{2,4})?"
MARIAN = {"de", "fr", "es", "zh", "ru", "it", "nl", "ar", "fi", "sv", "hu", "cs"}
"""Languages that there is a small model for, from English and into it."""


class Translation(GenerationTask[GenerationParameters]):
    """A translation a text."""

    Parameters = GenerationParameters
    VERSION = 1
    METRIC = "bleu"
    COLUMNS = {"source": True, "target": True}
    BASELINE = "copy"
    SYSTEM = "Translate the text that the user gives. Answer with the translation and nothing else."

    def recognise(self, table: Table) -> Fit | None:
        """Two columns of prose called source and target, or by two languages; or a column that holds such two."""
        prose = table.prose()
        languages, pair = ["", ""], (table.text, table.label)
        for name in table.of("mappings"):
            keys = [key for key in table.rows[name][0] if re.fullmatch(LANGUAGE, key)]
            if len(keys) == 2:
                languages, pair = keys, (table.text or f"{name}.{keys[0]}", table.label or f"{name}.{keys[1]}")
        if not languages[0]:
            keys = [name for name in prose if re.fullmatch(LANGUAGE, name)]
            if len(keys) == 2 and pair == (None, None):
                languages = keys
            source = table.text or (languages[0] or table.called(("source", "src", "source_text"), prose))
            pair = source, table.label or (languages[1] or table.called(("target", "tgt", "target_text"), prose))
            if not {*pair} <= {*prose} or pair[0] == pair[1]:
                return None
        codes = [code.lower()[:2] for code in languages]
        known = "en" in codes and {*codes} - {"en"} <= MARIAN
        own = {
            "metrics": ["bleu-zh" if codes[1] == "zh" else "bleu", "chrf"],
            **references.lengths(table, *map(str, pair)),
        }
        if not known:
            own = {"template": "translate: {text}", **own}
        because = f"'{pair[0]}' and '{pair[1]}' are " + ("languages" if languages[0] else "called so")
        model = f"Helsinki-NLP/opus-mt-{codes[0]}-{codes[1]}" if known else "google-t5/t5-small"
        return Fit({"source": str(pair[0]), "target": str(pair[1])}, 0.85, because, model, own, asks=True)

    def baseline(self, source: str) -> str:
        """What takes no model: the source as it is."""
        return source
