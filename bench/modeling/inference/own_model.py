"""Base classes of the ways that run the pretrained model with a head of its own. Imports nothing heavy."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from bench.contracts import Context, Part, Predict, Predictions, Prepared, ZeroShotWay

if TYPE_CHECKING:
    from torch import Tensor

    from bench.contracts import Question
    from bench.modeling.inference.zero_shot import Loaded, Settings
    from bench.modeling.models.facts import Facts


class OwnModel(ZeroShotWay):
    """The model as the auto class `AUTO` of transformers builds it; the head's weights must be in its files."""

    AUTO: ClassVar[str]

    def load(self, context: Context) -> Loaded:
        """The model with its head. Raises ModelError where weights are missing."""
        from bench.modeling.inference import zero_shot

        return zero_shot.own_model(context, self.AUTO)


class Asked(OwnModel):
    """Answers from inputs as they are: the way itself makes tokens of them."""

    @abc.abstractmethod
    def answers(
        self, context: Context, loaded: Loaded, inputs: Sequence[Any], templates: Sequence[str], how: Settings
    ) -> Any:
        """Answers [templates][n], or [1][n] of a way without templates."""

    def predictor(self, context: Context, model: Loaded) -> Predict:
        """Every template answers; the first alone while the time of one answer is taken."""
        from bench.modeling.inference import zero_shot

        def predict(part: Part, prepared: Prepared | None = None) -> Predictions:
            templates = self.templates(context)
            return Predictions(
                self.answers(
                    context,
                    model.remembering(prepared),
                    inputs(context, part),
                    templates if prepared is None else templates[:1],
                    zero_shot.settings(context, context.parameters, prepared),
                )
            )

        return predict


def inputs(context: Context, part: Part) -> Any:
    """What a way is asked about: images as they are encoded, once for every regime, else the part's inputs."""
    if context.task.MODALITY != "image":
        return context.inputs(part)
    from bench.modeling.encoding.arrays import PixelRows

    return PixelRows(context.features.encoded(part.split), part.indices)


class ReadByObjective(OwnModel):
    """The model's own head in the place of one that training would give: the task's objective reads it."""

    @abc.abstractmethod
    def head(self, context: Context, loaded: Loaded) -> Callable[[dict[str, Tensor]], Tensor]:
        """What gives for a batch what a trained model would give."""

    def notes(self, context: Context, loaded: Loaded) -> tuple[str, ...]:
        """Remarks on how the head fits the task."""
        return ()

    def predictor(self, context: Context, model: Loaded) -> Predict:
        """As the objective answers."""
        head, notes = self.head(context, model), self.notes(context, model)

        def predict(part: Part, prepared: Prepared | None = None) -> Predictions:
            found = context.objective.answer(context, head, part)
            return replace(found, notes=(*notes, *found.notes))

        return predict


class LanguageModel(OwnModel):
    """A model that was trained to fill or to continue a text: `HEAD` is its head; `OTHERWISE` is said of others."""

    FEW_SHOT = True
    HEAD: ClassVar[str]
    OTHERWISE: ClassVar[str]

    def applies(self, facts: Facts, question: Question) -> str | None:
        """None, or why not."""
        if question.modality != "text" or facts.head != self.HEAD:
            return self.OTHERWISE
        return "a sentence encoder is compared by similarity" if facts.sentence_encoder else None


class CausalModel(LanguageModel):
    """A model that was trained to continue a text."""

    AUTO = "AutoModelForCausalLM"
    HEAD = "causal-lm"
    OTHERWISE = "it is no causal language model"
