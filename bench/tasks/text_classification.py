"""One label out of several for a text or a pair of texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from bench.data.column_kinds import LABELS, Fit, Table
from bench.data.examples import Examples, Labelled, class_words, labels_of
from bench.errors import DataError

if TYPE_CHECKING:
    from bench.modeling.encoding.arrays import Tokens

VERSION = 1
MODALITY = "text"
GIVES = "classes"
OBJECTIVE = GIVES
METRIC = "accuracy"
COLUMNS = {"text": True, "text_pair": False, "label": True}


class Parameters(Labelled):
    """labels, templates, label_map as for every classification; max_length in tokens."""

    max_length: Annotated[int, Field(ge=4)] = Field(128, description="tokens; longer texts are cut")


def recognise(table: Table) -> Fit | None:
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


def label_words(dataset: Any, columns: dict[str, str], parameters: Parameters, place: str) -> list[str]:
    """The classes' words, from the suite or the data. Raises DataError."""
    return class_words(dataset, columns["label"], parameters, place)


def examples(dataset: Any, columns: dict[str, str], parameters: Parameters, place: str) -> Examples:
    """The data set's texts (or pairs) and classes. Raises DataError naming the column, row and value at fault."""
    return Examples(inputs(dataset, columns, place), labels_of(dataset, columns["label"], parameters, place))


def inputs(dataset: Any, columns: dict[str, str], place: str) -> Sequence[Any]:
    """Texts, or pairs of texts. Raises DataError naming the column."""
    texts, *pairs = [_texts(dataset, columns[role], place) for role in ("text", "text_pair") if role in columns]
    return list(zip(texts, *pairs, strict=True)) if pairs else texts


def _texts(dataset: Any, column: str, place: str) -> list[str]:
    """A column of text; what is missing in it is empty. Raises DataError."""
    texts = ["" if text is None else text for text in dataset[column][:]]
    if not all(isinstance(text, str) for text in texts):
        feature = dataset.features[column]
        raise DataError(f"{place}: column '{column}' holds {feature}, not text; name another under columns")
    return texts


def encode(folder: Path, examples: Examples, parameters: Parameters, target: Path) -> None:
    """Tokenise with the model's tokenizer and keep the result in `target`."""
    from bench.modeling.encoding import text

    text.save(text.tokenise(folder, examples.inputs, parameters.max_length), target)


def load(target: Path) -> Tokens:
    """What `encode` kept."""
    from bench.modeling.encoding import text

    return text.load(target)
