"""The model's own head of one output, as it is: a cross-encoder's score of a pair, a regression's number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.modeling.inference import classification_head
from bench.modeling.inference.classification_head import ClassificationHead
from bench.modeling.inference.own_model import Asked

if TYPE_CHECKING:
    import numpy as np

    from bench.contracts import Context, Question
    from bench.modeling.inference.zero_shot import Loaded, Settings
    from bench.modeling.models.facts import Facts


class OwnValue(ClassificationHead, Asked):
    """The pretrained head's number."""

    VERSION = 1
    OBJECTIVE = "values"

    def applies(self, facts: Facts, question: Question) -> str | None:
        """None, or why not."""
        if facts.head != "sequence-classification" or len(facts.labels or ()) != 1:
            return "it has no sequence-classification head of one output"
        return None

    def answers(
        self, context: Context, loaded: Loaded, inputs: Sequence[Any], templates: Sequence[str], how: Settings
    ) -> np.ndarray:
        """float64 [1, n], in the unit that the model was trained in: rank correlation does not mind."""
        return classification_head.logits(loaded, inputs, how).astype("float64").T
