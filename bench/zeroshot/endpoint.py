"""A model behind an endpoint is asked to answer with one of the labels, and its answer is read to the letter.

An answer is a label where it is that label alone, in upper or lower case, whatever punctuation stands around it; the
likeliest class then has log-probability 0. Any other answer counts as wrong: all classes but the right one are alike.
The endpoint's own log-probabilities are not used: they are of tokens, not of labels, and few endpoints give them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.modeling.inference.endpoint_answers import BLANK, EndpointWay, named, scores, unread

if TYPE_CHECKING:
    import numpy as np

    from bench.contracts import Context, Part

SYSTEM = "Classify the text that the user gives. Answer with exactly one of these labels and nothing else: {labels}."
GAP = f" Where the text has {BLANK}, the label is what belongs there."


class EndpointLabels(EndpointWay):
    """Asks for a label, with each template."""

    VERSION = 1
    OBJECTIVE = "classes"
    TEMPLATES = ("",)

    def system(self, context: Context) -> str:
        """Names the labels, and the blank where a template has one."""
        return SYSTEM + (GAP if any("{label}" in template for template in self.templates(context)) else "")

    def question(self, context: Context, template: str, example: Any) -> str:
        """The filled template, or without `{text}` in it the text and then the template; `{label}` is a blank."""
        from bench.modeling.prompts import fill_template

        whole = template if "{text}" in template else "{text} " + template
        return fill_template.fill(whole, fill_template.plain(example), BLANK)

    def read(self, context: Context, part: Part, texts: list[list[str]]) -> tuple[np.ndarray, tuple[str, ...]]:
        """Log-probabilities, float32 [templates, n, classes]."""
        import numpy as np

        found = [[named(text, context.labels) for text in one] for one in texts]
        classes, floor = len(context.labels), context.objective.FLOOR
        return np.stack([scores(one, part.labels, classes, floor) for one in found]), unread(part, found, "label")
