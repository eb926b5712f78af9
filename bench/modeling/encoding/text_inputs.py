"""Task kinds whose examples are a text or a pair of texts: columns become inputs, and inputs become tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bench.contracts import TaskKind
from bench.data.examples import Examples
from bench.errors import DataError
from bench.suite.parameters import TaskParameters

if TYPE_CHECKING:
    from bench.modeling.encoding.arrays import Tokens

P = TypeVar("P", bound=TaskParameters)


class TextInputs(TaskKind[P]):
    """A task kind of texts or pairs of texts, cut at its parameters' `max_length`."""

    MODALITY = "text"

    def encode(self, folder: Path, examples: Examples, parameters: P, target: Path) -> None:
        """Tokenise with the model's tokenizer and keep the result in `target`."""
        from bench.modeling.encoding import text

        text.save(text.tokenise(folder, examples.inputs, parameters.most_tokens()), target)

    def load(self, folder: Path) -> Tokens:
        """What `encode` kept."""
        from bench.modeling.encoding import text

        return text.load(folder)


def inputs(dataset: Any, columns: Mapping[str, str], place: str) -> Sequence[Any]:
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
