"""The model writes its answer as it is: for translation and other tasks whose answer is a text."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bench.modeling.models.generation_models import writer
from bench.training.untrained import AsBuilt

if TYPE_CHECKING:
    from bench.contracts import Context, Part, Predict, Predictions, Prepared, Question
    from bench.modeling.models.facts import Facts
    from bench.suite.trial import Json


class AsIs(AsBuilt):
    """The pretrained model writes an answer."""

    VERSION = 1
    OBJECTIVE = "texts"
    FEW_SHOT = True

    def applies(self, facts: Facts, question: Question) -> str | None:
        """An encoder that would have to be joined with another has never learnt to write."""
        how: Any = writer(facts)
        return None if how in ("encoder-decoder", "decoder") else "it has not learnt to write text"

    def predictor(self, context: Context, model: Any) -> Predict:
        """As the objective answers.

        After examples, a decoder without a chat template answers up to the first blank line: it goes on with examples
        of its own, unless answers hold blank lines themselves.
        """
        from bench.modeling.prompts.few_shot_examples import BLANK
        from bench.modeling.prompts.generation_prompt import ends_at_a_blank_line

        whole = super().predictor(context, model)
        if not ends_at_a_blank_line(context.facts, context.features.tokenizer, context.few_shot):
            return whole

        def predict(part: Part, prepared: Prepared | None = None) -> Predictions:
            found = whole(part, prepared)
            return replace(
                found, answers=[[text.partition(BLANK)[0].rstrip() for text in texts] for texts in found.answers]
            )

        return predict

    def asked(self, context: Context) -> Json:
        """The template, and whether the model's own for conversations is around it."""
        from bench.modeling.prompts.generation_prompt import chats

        chat = chats(context.facts, context.features.tokenizer)
        return {"template": context.parameters.template, "chat_template": chat}
