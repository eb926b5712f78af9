"""A model behind an endpoint writes its answer: for translation and other tasks whose answer is a text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.modeling.inference.endpoint_answers import EndpointTexts

if TYPE_CHECKING:
    from bench.contracts import Context, Part
    from bench.modeling.prompts.conversations import Source

SYSTEM = "Answer the user with the text that is asked for and nothing else."
"""What the model is told where neither the suite nor the task kind (`SYSTEM`) says it."""
FROM_TO = " Its language is {}, the answer's {}."


class EndpointWritten(EndpointTexts):
    """Asks for a text."""

    VERSION = 1
    OBJECTIVE = "texts"

    def system(self, context: Context) -> str:
        """The task kind's own words, and the languages."""
        languages = context.parameters.languages
        return (context.task.SYSTEM or SYSTEM) + (FROM_TO.format(*languages) if languages else "")

    def question(self, context: Context, template: str, example: Source) -> Source:
        """The filled template, or a conversation that ends in it."""
        from bench.modeling.prompts import conversations

        return conversations.asking(example, template.replace("{text}", conversations.asked(example)))

    def read(self, context: Context, part: Part, texts: list[list[str]]) -> tuple[list[list[str]], tuple[str, ...]]:
        """Texts without space around them."""
        return [[text.strip() for text in one] for one in texts], ()
