"""A model behind an endpoint answers a question by words of its context; the first line counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.modeling.inference.endpoint_answers import EndpointTexts, named

if TYPE_CHECKING:
    from bench.contracts import Context, Part

NONE = "unanswerable"
SYSTEM = "Answer the user's question with words of the context, as they stand there, and nothing else."
NONE_TOO = f" Where the context does not answer it, say: {NONE}"


class EndpointSpans(EndpointTexts):
    """Asks a question about a context. An endpoint must say something: where a question may have no answer, a word
    stands for none."""

    VERSION = 1
    OBJECTIVE = "spans"

    def system(self, context: Context) -> str:
        """With the word for no answer where the task has such questions."""
        if context.parameters.unanswerable:
            return SYSTEM + NONE_TOO
        return SYSTEM

    def question(self, context: Context, template: str, example: tuple[str, str]) -> str:
        """The template with the question and its context."""
        from bench.modeling.prompts.fill_template import around_context

        before, after = around_context(template, example[0])
        return before + example[1] + after

    def example_answer(self, context: Context, example: tuple[str, str], answer: str) -> str:
        """The answer, or the word for none."""
        return answer or NONE

    def read(self, context: Context, part: Part, texts: list[list[str]]) -> tuple[list[list[str]], tuple[str, ...]]:
        """First lines, "" for no answer."""
        lines = [[text.strip().partition("\n")[0].rstrip() for text in one] for one in texts]
        if not context.parameters.unanswerable:
            return lines, ()
        return [["" if named(line, [NONE]) is not None else line for line in one] for one in lines], ()
