"""A model behind an endpoint writes its answer: for translation and other tasks whose answer is a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.zeroshot.endpoint import applies

if TYPE_CHECKING:
    from bench.modeling.prompts.conversations import Source
    from bench.training.job import Adapted, Job, Part

__all__ = ["applies"]

VERSION = 1
GIVES = "texts"
SHOTS = True
TEMPLATES = ()
SYSTEM = "Answer the user with the text that is asked for and nothing else."
"""What the model is told where neither the suite nor the task kind (`SYSTEM`) says it."""
FROM_TO = " Its language is {}, the answer's {}."


def adapt(job: Job) -> Adapted:
    """Ask with the task's template."""
    from bench.modeling.prompts import conversations
    from bench.training.endpoint_answers import asked, limit

    languages = job.parameters.languages

    def question(template: str, example: Source) -> Source:
        return conversations.asking(example, template.replace("{text}", conversations.asked(example)))

    def read(part: Part, texts: list[list[str]]) -> list[list[str]]:
        return [[text.strip() for text in one] for one in texts]

    return asked(
        job,
        system=(job.task.SYSTEM or SYSTEM) + (FROM_TO.format(*languages) if languages else ""),
        templates=[job.parameters.template],
        question=question,
        read=read,
        max_tokens=limit(job),
    )


def used(job: Job) -> dict[str, Any]:
    """The template."""
    return {"template": job.parameters.template}
