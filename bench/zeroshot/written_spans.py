"""The model writes the answer to a question as it is, from a prompt with the context and the question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.modeling.models.generation_models import extracts
from bench.zeroshot.as_is import AsIs

if TYPE_CHECKING:
    from bench.contracts import Question
    from bench.modeling.models.facts import Facts


class WrittenSpans(AsIs):
    """The pretrained model writes an answer to a question."""

    VERSION = 1
    OBJECTIVE = "spans"

    def applies(self, facts: Facts, question: Question) -> str | None:
        """As `as-is`, for models that do not extract."""
        return "it has not learnt to write text" if extracts(facts) else super().applies(facts, question)
