"""The model's own classification head, as it is: softmax, its labels' probabilities summed into the task's.

A label of the model's that fits none of the task's is left out, and the rest sum to one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.modeling.inference import classification_head
from bench.modeling.inference.classification_head import ClassificationHead
from bench.modeling.inference.label_scoring import LabelScoring

if TYPE_CHECKING:
    import numpy as np

    from bench.contracts import Context, Question
    from bench.modeling.inference.zero_shot import Loaded, Settings
    from bench.modeling.models.facts import Facts
    from bench.suite.trial import Json


class OwnHead(ClassificationHead, LabelScoring):
    """The pretrained head's classes."""

    VERSION = 1
    TEMPLATES = ("",)

    def applies(self, facts: Facts, question: Question) -> str | None:
        """None, or why not."""
        return classification_head.refusal(facts, question)

    def asked(self, context: Context) -> Json:
        """Which label of the task each label of the head stands for."""
        return classification_head.label_map(context)

    def log_probabilities(
        self, loaded: Loaded, inputs: Sequence[Any], labels: Sequence[str], templates: Sequence[str], how: Settings
    ) -> np.ndarray:
        """float32 [1, examples, labels], whatever the templates."""
        import numpy as np

        from bench.modeling.inference import zero_shot

        found = classification_head.logits(loaded, inputs, how)
        columns = np.array(classification_head.meant(loaded.labels, labels, how.label_map))
        summed = [np.logaddexp.reduce(found[:, columns == i], axis=-1) for i in range(len(labels))]
        return zero_shot.normalised(np.stack(summed, axis=-1))[None]
