"""A model behind an endpoint is asked to answer with one of the labels, and its answer is read to the letter.

An answer is a label where it is that label alone, in upper or lower case, whatever punctuation stands around it; the
likeliest class then has log-probability 0. Any other answer counts as wrong: all classes but the right one are alike.
The endpoint's own log-probabilities are not used: they are of tokens, not of labels, and few endpoints give them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from bench.modeling.models.facts import Facts
    from bench.training.job import Adapted, Job, Part

VERSION = 1
GIVES = "classes"
SHOTS = True
TEMPLATES = ("",)
BLANK = "____"
SYSTEM = "Classify the text that the user gives. Answer with exactly one of these labels and nothing else: {labels}."
GAP = f" Where the text has {BLANK}, the label is what belongs there."


def applies(facts: Facts, modality: str, labels: Sequence[str], label_map: Mapping[str, str]) -> str | None:
    """None, or why not."""
    return None if modality == "text" and facts.head == "endpoint" else "it is not behind an endpoint"


def adapt(job: Job) -> Adapted:
    """Ask with each template; one without `{text}` follows the text, and `{label}` is a blank to be filled."""
    from bench.modeling.prompts import fill_template
    from bench.training.endpoint_answers import asked, unread

    templates = list(job.parameters.templates or TEMPLATES)
    system = SYSTEM + (GAP if any("{label}" in one for one in templates) else "")

    def question(template: str, example: Any) -> str:
        whole = template if "{text}" in template else "{text} " + template
        return fill_template.fill(whole, fill_template.plain(example), BLANK)

    def read(part: Part, texts: list[list[str]]) -> np.ndarray:
        import numpy as np

        found = [[named(text, job.labels) for text in one] for one in texts]
        unread(job, part, found, "label")
        return np.stack([scores(one, part.labels, len(job.labels), job.objective.FLOOR) for one in found])

    return asked(job, system=system, templates=templates, question=question, read=read)


def named(text: str, labels: Sequence[str]) -> int | None:
    """The number of the label that a text consists of; the longest where one is another with punctuation (C, C++)."""
    fits = [i for i, word in enumerate(labels) if re.fullmatch(rf"[\W_]*{re.escape(word)}[\W_]*", text, re.IGNORECASE)]
    return max(fits, key=lambda i: len(labels[i]), default=None)


def scores(chosen: Sequence[int | None], targets: np.ndarray, classes: int, floor: float) -> np.ndarray:
    """Log-probabilities, float32 [n, classes]: 0 for the chosen and the floor for others."""
    import numpy as np

    found = np.full((len(chosen), classes), floor, dtype=np.float32)
    for row, number in enumerate(chosen):
        if number is None:
            found[row] = -np.log(classes - 1)
            found[row, targets[row]] = floor
        else:
            found[row, number] = 0.0
    return found
