"""The model's own classification head, as it is, each label by itself: the sigmoid of its output.

Of several of the model's labels that mean one of the task's, the likeliest counts.
"""

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
    from bench.suite.trial import Json


class OwnLabels(ClassificationHead, Asked):
    """The pretrained head's labels."""

    VERSION = 1
    OBJECTIVE = "label-sets"

    def applies(self, facts: Facts, question: Question) -> str | None:
        """None, or why not."""
        if question.modality != "text":
            return "it is no task of text"
        if facts.problem == "single_label_classification":
            return "its head was trained to choose one label"
        return classification_head.refusal(facts, question)

    def asked(self, context: Context) -> Json:
        """Which label of the task each label of the head stands for."""
        return classification_head.label_map(context)

    def answers(
        self, context: Context, loaded: Loaded, inputs: Sequence[Any], templates: Sequence[str], how: Settings
    ) -> np.ndarray:
        """Each label's probability, float32 [1, n, labels]."""
        import numpy as np
        from scipy.special import expit

        meant = np.array(classification_head.meant(loaded.labels, context.labels, how.label_map))
        found = expit(classification_head.logits(loaded, inputs, how))
        return np.stack([found[:, meant == label].max(axis=1) for label in range(len(context.labels))], axis=-1)[None]
