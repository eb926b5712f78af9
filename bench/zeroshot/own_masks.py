"""The model's own segmentation head, as it is: the likeliest of its labels at each pixel, under the task's name for it.

Labels are matched by name; a pixel that is given one which is none of the task's is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.contracts import Predictions
from bench.modeling.inference import classification_head
from bench.modeling.inference.classification_head import few, meant, misfit
from bench.modeling.inference.own_model import OwnModel

if TYPE_CHECKING:
    import torch

    from bench.contracts import Context, Part, Predict, Prepared, Question
    from bench.modeling.inference.zero_shot import Loaded
    from bench.modeling.models.facts import Facts
    from bench.suite.trial import Json


class OwnMasks(OwnModel):
    """The pretrained decode head's classes."""

    VERSION = 1
    OBJECTIVE = "masks"
    AUTO = "AutoModelForSemanticSegmentation"

    def applies(self, facts: Facts, question: Question) -> str | None:
        """None, or why not: some label must fit."""
        if facts.head != "semantic-segmentation" or facts.labels is None:
            return "it has no head for semantic segmentation"
        if max(meant(facts.labels, question.labels, question.label_map), default=-1) < 0:
            return misfit(facts.labels, question)
        return None

    def load(self, context: Context) -> Loaded:
        """The model with its head. Raises ModelError where weights are missing."""
        from bench.modeling.inference import zero_shot

        return zero_shot.own_model(context, self.AUTO, text=False)

    def asked(self, context: Context) -> Json:
        """Which label of the task each label of the head stands for."""
        return classification_head.label_map(context)

    def predictor(self, context: Context, model: Loaded) -> Predict:
        """Confusion counts, as the objective has them."""
        import numpy as np

        from bench.modeling.inference.confusion import confusions

        columns = np.array(meant(model.labels, context.labels, context.parameters.own_label_map()))
        never = [label for number, label in enumerate(context.labels) if number not in columns]
        notes = (f"the model has no label for {few(never)}, which it never answers",) if never else ()

        def predict(part: Part, prepared: Prepared | None = None) -> Predictions:
            def forward(batch: dict[str, torch.Tensor]) -> torch.Tensor:
                pixels = batch["pixel_values"].to(model.model.dtype)
                logits: torch.Tensor = model.model(pixel_values=pixels).logits
                return logits

            return Predictions(confusions(context, forward, part, columns), notes=notes)

        return predict
