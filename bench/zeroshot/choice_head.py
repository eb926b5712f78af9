"""The model's own head for multiple choice, as it is: a score for each context with a choice, softmax over choices."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bench.modeling.inference.own_model import ReadByObjective

if TYPE_CHECKING:
    from torch import Tensor

    from bench.contracts import Context, Question
    from bench.modeling.inference.zero_shot import Loaded
    from bench.modeling.models.facts import Facts


class ChoiceHead(ReadByObjective):
    """The pretrained head scores the pairs that a trained one would see."""

    VERSION = 1
    OBJECTIVE = "choices"
    AUTO = "AutoModelForMultipleChoice"

    def applies(self, facts: Facts, question: Question) -> str | None:
        """None, or why not."""
        own = any(name.endswith("ForMultipleChoice") for name in facts.architectures)
        return None if own and question.modality == "text" else "it has no multiple-choice head"

    def head(self, context: Context, loaded: Loaded) -> Callable[[dict[str, Tensor]], Tensor]:
        """One score a pair: each is given as the only choice of its example."""

        def score(batch: dict[str, Tensor]) -> Tensor:
            found: Tensor = loaded.model(**{name: tensor.unsqueeze(1) for name, tensor in batch.items()}).logits
            return found

        return score
