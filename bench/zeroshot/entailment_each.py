"""A model of entailment judges each label's sentence by itself: P(entailment) against P(contradiction) alone.

Yin et al. 2019.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.modeling.inference import entailment
from bench.modeling.inference.own_model import Asked

if TYPE_CHECKING:
    import numpy as np

    from bench.contracts import Context, Question
    from bench.modeling.inference.zero_shot import Loaded, Settings
    from bench.modeling.models.facts import Facts


class EntailmentEach(Asked):
    """P(entailment) of each label's sentence, against its contradiction."""

    VERSION = 1
    OBJECTIVE = "label-sets"
    AUTO = "AutoModelForSequenceClassification"
    TEMPLATES = entailment.TEMPLATES

    def applies(self, facts: Facts, question: Question) -> str | None:
        """None, or why not."""
        if question.modality != "text":
            return "it is no task of text"
        reason = entailment.refusal(facts, question)
        if reason is None and _opposite(facts.labels or ()) is None:
            return "it is no text classifier with a label 'contradiction' or 'not_entailment'"
        return reason

    def answers(
        self, context: Context, loaded: Loaded, inputs: Sequence[Any], templates: Sequence[str], how: Settings
    ) -> np.ndarray:
        """Each label's probability, float32 [templates, n, labels]."""
        from scipy.special import expit

        judged = entailment.log_likelihoods(loaded, inputs, context.labels, templates, how)
        yes, no = entailment.column(loaded.labels), _opposite(loaded.labels)
        found: np.ndarray = expit(judged[..., yes] - judged[..., no])
        return found


def _opposite(names: Sequence[str]) -> int | None:
    return entailment.column(names, "contradict", "not_entail", "not entail")
