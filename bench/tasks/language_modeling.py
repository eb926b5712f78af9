"""How well a model predicts text: perplexity."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field, model_validator

from bench.contracts import TaskKind
from bench.data.column_kinds import TEXT, Fit, Table
from bench.data.examples import Examples
from bench.data.row_problems import Problems
from bench.errors import DataError
from bench.modeling.models.facts import Facts
from bench.modeling.models.likelihood_models import reader
from bench.suite.parameters import TaskParameters

if TYPE_CHECKING:
    from bench.modeling.encoding.token_stream import Stream


class LanguageModelingParameters(TaskParameters):
    """A part's rows are joined and read in windows, from which a causal model tells every token but the first once."""

    separator: str = Field("\n\n", description="what joins two rows")
    max_length: Annotated[int, Field(ge=4)] = Field(1024, description="tokens a window holds, or what the model takes")
    stride: Annotated[int, Field(ge=1)] = Field(
        512, description="tokens a window moves on; half the window where the model takes no more than this"
    )

    @model_validator(mode="after")
    def _overlapping(self) -> LanguageModelingParameters:
        if self.stride >= self.max_length:
            raise ValueError(
                f"stride ({self.stride}) must be below max_length ({self.max_length}): each token needs something "
                f"before it; give `stride: {self.max_length // 2}`"
            )
        return self

    def most_tokens(self) -> int:
        """Tokens of an example that a model reads."""
        return self.max_length


class LanguageModeling(TaskKind[LanguageModelingParameters]):
    """How likely a text is to a model."""

    Parameters = LanguageModelingParameters
    VERSION = 1
    MODALITY = "text"
    OBJECTIVE = "likelihoods"
    METRIC = "perplexity"
    COLUMNS = {"text": True}

    def recognise(self, table: Table) -> Fit | None:
        """A column of prose, whatever stands beside it: the least that can be told of a table."""
        prose = table.prose()
        text = table.text or table.called(TEXT, prose) or max(prose, key=table.length, default=None)
        if text not in table.of("texts") or table.label is not None:
            return None
        because = f"'{text}' holds prose, and no other column what it could be asked for"
        return Fit({"text": text}, 0.2, because, "distilbert/distilgpt2", {"max_length": 256, "stride": 128}, asks=True)

    def refuses(self, facts: Facts, parameters: LanguageModelingParameters) -> str | None:
        """None, or why what is asked cannot be had of this model."""
        if "bits-per-byte" in parameters.metrics and reader(facts) == "masked":
            return (
                "a masked language model tells hidden tokens, not a text: it has no bits-per-byte; ask for perplexity"
            )
        return None

    def examples(
        self, dataset: Any, columns: Mapping[str, str], parameters: LanguageModelingParameters, place: str
    ) -> Examples:
        """The rows; subsets hold their share of empty ones. Raises DataError naming the column and the rows."""
        column = columns["text"]
        texts = ["" if text is None else text for text in dataset[column][:]]
        problems = Problems(place)
        for row, text in enumerate(texts):
            if not isinstance(text, str):
                problems.add(row, column, f"expected a text, found {str(text)[:40]!r}", "no text")
        problems.check()
        if not any(text.strip() for text in texts):
            raise DataError(f"{place}, column '{column}': every row is empty; name another column")
        return Examples(texts, np.array([bool(text.strip()) for text in texts], dtype=np.int64))

    def encode(self, folder: Path, examples: Examples, parameters: LanguageModelingParameters, target: Path) -> None:
        """Tokenise the split's joined rows as one text and keep the result in `target`."""
        from bench.modeling.encoding import token_stream

        token_stream.encode(folder, examples.inputs, parameters.separator, parameters.max_length, target)

    def load(self, folder: Path) -> Stream:
        """What `encode` kept."""
        from bench.modeling.encoding import token_stream

        return token_stream.load(folder)
