"""Tasks whose answer is a text: their parameters, and how two columns become sources and references."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import numpy as np
from pydantic import Field, field_validator

from bench.contracts import TaskKind
from bench.data.examples import Examples
from bench.data.row_problems import Problems
from bench.errors import DataError
from bench.modeling.models.generation_models import Decoding
from bench.suite.parameters import TaskParameters

if TYPE_CHECKING:
    from pathlib import Path

    from bench.data.column_kinds import Table
    from bench.modeling.encoding.source_target_arrays import Pairs
    from bench.modeling.prompts.conversations import Source

Length = Annotated[int, Field(ge=4)]


class GenerationParameters(TaskParameters):
    """What every task kind takes whose answer is a text."""

    template: str = Field("{text}", description="what the model reads, with {text}; e.g. T5's own prefixes")
    languages: tuple[str, str] | None = Field(None, description="codes of source and target, for mBART, NLLB, M2M100")
    max_source: Length = Field(256, description="tokens; longer sources are cut")
    max_target: Length = Field(128, description="tokens; longer targets are cut in training")
    decoding: Decoding = Field(
        default=Decoding.model_validate({}), description="beams, max_new_tokens, …; default: the model's own"
    )

    @field_validator("template")
    @classmethod
    def _holds_text(cls, template: str) -> str:
        if template.count("{text}") != 1:
            raise ValueError("must hold {text} once")
        return template

    def most_tokens(self) -> int:
        """Tokens of an example that a model reads."""
        return self.max_source


P = TypeVar("P", bound=GenerationParameters)


class GenerationTask(TaskKind[P]):
    """A task kind whose answer is a text; its first two roles of `COLUMNS` are the source and its references."""

    MODALITY = "text"
    OBJECTIVE = "texts"

    def examples(self, dataset: Any, columns: Mapping[str, str], parameters: P, place: str) -> Examples:
        """The data set's texts and their references. A list of texts is a text in parts in the source, several
        references in the target. Raises DataError naming the column and the rows."""
        source, target = (columns[role] for role in list(self.COLUMNS)[:2])
        problems = Problems(place)
        sources = problems.each(dataset[source], source, self.source)
        references = problems.each(dataset[target], target, _references)
        problems.check()
        return Examples(sources, np.zeros(len(sources), dtype=np.int64), references)

    def source(self, value: Any, place: str) -> Source:
        """What a model reads, of a value and its place. Raises DataError."""
        return text(value, place)

    def encode(self, folder: Path, examples: Examples, parameters: P, target: Path) -> None:
        """Tokenise sources and first references into `target`."""
        from bench.modeling.encoding import source_target

        source_target.encode(
            folder,
            examples.inputs,
            examples.targets or [],
            target_folder=target,
            max_source=parameters.max_source,
            max_target=parameters.max_target,
            template=parameters.template,
            languages=parameters.languages,
            shots=examples.shots,
        )

    def load(self, folder: Path) -> Pairs:
        """What `encode` kept."""
        from bench.modeling.encoding import source_target_arrays

        return source_target_arrays.load(folder)


def lengths(table: Table, source: str, target: str) -> dict[str, Any]:
    """For `bench init`: what a model needs to read and to write nearly all of two columns."""
    source, target = (name if name in table.names else name.partition(".")[0] for name in (source, target))
    most = table.tokens(target, most=128)
    decoding = {"beams": 1, "max_new_tokens": most}
    return {"max_source": table.tokens(source, most=512), "max_target": most, "decoding": decoding}


def sentences(text: str) -> list[str]:
    """The text's sentences, by the marks that end one in European and Chinese writing."""
    return re.split(r"(?<=[.!?])\s+|(?<=[。！？])", text)


def text(value: Any, place: str) -> str:
    """A text, or its parts with a space between them. Raises DataError."""
    if isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(part, str) for part in value):
        value = " ".join(value)
    if not isinstance(value, str) or not value.strip():
        raise DataError(
            f"{place}: expected a text, found {str(value)[:40]!r}; leave the row out or name another column"
        )
    return value


def _references(value: Any, place: str) -> list[str]:
    found = [value] if isinstance(value, str) else list(value or [])
    if not found or not all(isinstance(text, str) for text in found) or not found[0].strip():
        raise DataError(f"{place}: expected a text or several, found {str(value)[:40]!r}; leave the row out")
    return found
