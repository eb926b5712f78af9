"""The model's own question-answering head, as it is: the start and the end of the answer in its context."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bench.modeling.inference.own_model import ReadByObjective

if TYPE_CHECKING:
    from torch import Tensor

    from bench.contracts import Context, Question
    from bench.modeling.inference.zero_shot import Loaded
    from bench.modeling.models.facts import Facts


class OwnSpans(ReadByObjective):
    """The pretrained head's starts and ends."""

    VERSION = 1
    OBJECTIVE = "spans"
    AUTO = "AutoModelForQuestionAnswering"

    def applies(self, facts: Facts, question: Question) -> str | None:
        """None, or why not."""
        if question.modality != "text" or facts.modality != "text" or facts.head != "question-answering":
            return "it has no question-answering head over text"
        return None

    def head(self, context: Context, loaded: Loaded) -> Callable[[dict[str, Tensor]], Tensor]:
        """Logits of start and end."""
        import torch

        def logits(batch: dict[str, Tensor]) -> Tensor:
            found = loaded.model(**batch)
            return torch.stack((found.start_logits, found.end_logits), dim=-1)

        return logits
