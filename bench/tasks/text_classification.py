"""One label out of several for a text or a pair of texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from bench.data.column_kinds import LABELS, Fit, Table
from bench.data.examples import Examples, Labelled, class_words, labels_of
from bench.modeling.encoding.text_inputs import TextInputs, inputs


class TextClassificationParameters(Labelled):
    """labels, templates, label_map as for every classification; max_length in tokens."""

    max_length: Annotated[int, Field(ge=4)] = Field(128, description="tokens; longer texts are cut")

    def most_tokens(self) -> int:
        """Tokens of an example that a model reads."""
        return self.max_length


class TextClassification(TextInputs[TextClassificationParameters]):
    """One class a text."""

    Parameters = TextClassificationParameters
    VERSION = 1
    OBJECTIVE = "classes"
    METRIC = "accuracy"
    COLUMNS = {"text": True, "text_pair": False, "label": True}

    def recognise(self, table: Table) -> Fit | None:
        """A text, or two that belong together, and a column of few values."""
        inputs = table.inputs()
        label = table.classes(but=list(inputs.values())) if inputs else None
        if label is None:
            return None
        own = {"labels": table.words(label), "max_length": table.tokens(*inputs.values())}
        sure = 0.75 if label in (table.label, table.called(LABELS, [label])) else 0.6
        because = f"'{label}' holds {table.distinct(label)} different values"
        model = table.model("sentence-transformers/all-MiniLM-L6-v2", *inputs.values())
        return Fit({**inputs, "label": label}, sure, because, model, own, asks=True)

    def label_words(
        self, dataset: Any, columns: Mapping[str, str], parameters: TextClassificationParameters, place: str
    ) -> list[str]:
        """The classes' words, from the suite or the data. Raises DataError."""
        return class_words(dataset, columns["label"], parameters, place)

    def examples(
        self, dataset: Any, columns: Mapping[str, str], parameters: TextClassificationParameters, place: str
    ) -> Examples:
        """The data set's texts (or pairs) and classes. Raises DataError naming the column, row and value at fault."""
        return Examples(inputs(dataset, columns, place), labels_of(dataset, columns["label"], parameters, place))
