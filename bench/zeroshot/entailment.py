"""A model of entailment judges whether the text entails each label's sentence: P(entailment), normalised over labels.

Yin et al. 2019.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.modeling.inference import entailment
from bench.modeling.inference.label_scoring import LabelScoring

if TYPE_CHECKING:
    import numpy as np

    from bench.contracts import Question
    from bench.modeling.inference.zero_shot import Loaded, Settings
    from bench.modeling.models.facts import Facts


class Entailment(LabelScoring):
    """P(entailment) of each label's sentence."""

    VERSION = 1
    AUTO = "AutoModelForSequenceClassification"
    TEMPLATES = entailment.TEMPLATES

    def applies(self, facts: Facts, question: Question) -> str | None:
        """None, or why not."""
        return entailment.refusal(facts, question)

    def log_probabilities(
        self, loaded: Loaded, inputs: Sequence[Any], labels: Sequence[str], templates: Sequence[str], how: Settings
    ) -> np.ndarray:
        """float32 [templates, examples, labels]."""
        from bench.modeling.inference import zero_shot

        judged = entailment.log_likelihoods(loaded, inputs, labels, templates, how)
        return zero_shot.normalised(judged[..., entailment.column(loaded.labels)])
