"""A model behind an endpoint answers a question by words of its context; the first line counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.zeroshot.endpoint import applies
from bench.zeroshot.endpoint_texts import used

if TYPE_CHECKING:
    from bench.training.job import Adapted, Job, Part

__all__ = ["applies", "used"]

VERSION = 1
GIVES = "spans"
SHOTS = True
TEMPLATES = ()
NONE = "unanswerable"
SYSTEM = "Answer the user's question with words of the context, as they stand there, and nothing else."
NONE_TOO = f" Where the context does not answer it, say: {NONE}"


def adapt(job: Job) -> Adapted:
    """Ask with the task's template. No answer is a word where the task has such questions: an endpoint must say one."""
    from bench.modeling.prompts.fill_template import around_context
    from bench.training.endpoint_answers import asked, limit
    from bench.zeroshot.endpoint import named

    may_lack = job.parameters.unanswerable

    def question(template: str, example: tuple[str, str]) -> str:
        before, after = around_context(template, example[0])
        return before + example[1] + after

    def read(part: Part, texts: list[list[str]]) -> list[list[str]]:
        lines = [[text.strip().partition("\n")[0].rstrip() for text in one] for one in texts]
        return [["" if may_lack and named(line, [NONE]) is not None else line for line in one] for one in lines]

    return asked(
        job,
        system=SYSTEM + NONE_TOO * may_lack,
        templates=[job.parameters.template],
        question=question,
        read=read,
        max_tokens=limit(job),
        said=lambda example, answer: answer or NONE,
    )
