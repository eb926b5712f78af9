"""A model behind an endpoint is asked for the letter of the right choice, and its answer is read to the letter.

The letter alone is an answer, whatever its case and the punctuation around it; any other counts as wrong.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.errors import NotApplicable
from bench.zeroshot.endpoint import BLANK, applies, named, scores

if TYPE_CHECKING:
    import numpy as np

    from bench.training.job import Adapted, Job, Part

__all__ = ["applies"]

VERSION = 1
GIVES = "choices"
SHOTS = True
TEMPLATES = ("",)
SYSTEM = "Answer with the letter of the right choice, or of the one that goes on best, and nothing else."
LETTERS = string.ascii_uppercase


def adapt(job: Job) -> Adapted:
    """Ask with each template, `{label}` a blank, and a line a choice after it. Raises NotApplicable past 26 choices."""
    from bench.modeling.prompts import fill_template
    from bench.training.endpoint_answers import asked, unread

    def question(template: str, example: Sequence[str]) -> str:
        context, *choices = example
        if len(choices) > len(LETTERS):
            raise NotApplicable(f"an example has {len(choices)} choices, and there are {len(LETTERS)} letters")
        whole = template if "{text}" in template else "{text} " + template
        lines = [f"{letter}. {choice}" for letter, choice in zip(LETTERS, choices, strict=False)]
        return "\n".join([fill_template.fill(whole, context, BLANK), *lines]).lstrip()

    def read(part: Part, texts: list[list[str]]) -> np.ndarray:
        import numpy as np

        from bench.modeling.encoding import choices as choosing

        every = job.examples(part.split).inputs
        inputs, right = [every[row] for row in part.indices.tolist()], job.objective.targets(job, part)
        counts = [len(one) - 1 for one in inputs]
        found = [[named(text, LETTERS[:count]) for text, count in zip(one, counts, strict=True)] for one in texts]
        unread(job, part, found, "choice")

        def spread(one: list[int | None]) -> np.ndarray:
            rows = zip(one, right, counts, strict=True)
            each = [
                scores([number], np.array([target]), count, job.objective.FLOOR)[0] for number, target, count in rows
            ]
            return choosing.spread(np.concatenate(each), inputs)

        return np.stack([spread(one) for one in found])

    return asked(
        job,
        system=SYSTEM,
        templates=list(job.parameters.templates or TEMPLATES),
        question=question,
        read=read,
        said=lambda example, answer: LETTERS[list(example[1:]).index(answer)],
    )
