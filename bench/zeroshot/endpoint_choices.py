"""A model behind an endpoint is asked for the letter of the right choice, and its answer is read to the letter.

The letter alone is an answer, whatever its case and the punctuation around it; any other counts as wrong.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.errors import NotApplicable
from bench.modeling.inference.endpoint_answers import BLANK, EndpointWay, named, scores, unread

if TYPE_CHECKING:
    import numpy as np

    from bench.contracts import Context, Part

SYSTEM = "Answer with the letter of the right choice, or of the one that goes on best, and nothing else."
LETTERS = string.ascii_uppercase


class EndpointChoices(EndpointWay):
    """Asks for a choice's letter, with each template."""

    VERSION = 1
    OBJECTIVE = "choices"
    TEMPLATES = ("",)

    def system(self, context: Context) -> str:
        """Asks for a letter."""
        return SYSTEM

    def question(self, context: Context, template: str, example: Sequence[str]) -> str:
        """The filled template, `{label}` a blank, then a line a choice. Raises NotApplicable past 26 choices."""
        from bench.modeling.prompts import fill_template

        before, *choices = example
        if len(choices) > len(LETTERS):
            raise NotApplicable(f"an example has {len(choices)} choices, and there are {len(LETTERS)} letters")
        whole = template if "{text}" in template else "{text} " + template
        lines = [f"{letter}. {choice}" for letter, choice in zip(LETTERS, choices, strict=False)]
        return "\n".join([fill_template.fill(whole, before, BLANK), *lines]).lstrip()

    def example_answer(self, context: Context, example: Sequence[str], answer: str) -> str:
        """The letter of the right choice."""
        return LETTERS[list(example[1:]).index(answer)]

    def read(self, context: Context, part: Part, texts: list[list[str]]) -> tuple[np.ndarray, tuple[str, ...]]:
        """Log-probabilities, float32 [templates, n, most choices], -inf where an example has fewer."""
        import numpy as np

        from bench.modeling.encoding import choices as choosing

        inputs, right = context.inputs(part), context.objective.targets(context, part)
        counts, floor = [len(one) - 1 for one in inputs], context.objective.FLOOR
        found = [[named(text, LETTERS[:count]) for text, count in zip(one, counts, strict=True)] for one in texts]

        def spread(one: list[int | None]) -> np.ndarray:
            rows = zip(one, right, counts, strict=True)
            each = [scores([number], np.array([target]), count, floor)[0] for number, target, count in rows]
            return choosing.spread(np.concatenate(each), inputs)

        return np.stack([spread(one) for one in found]), unread(part, found, "choice")
