"""The model writes its answer as it is: for translation and other tasks whose answer is a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench.modeling.models.generation_models import writer

if TYPE_CHECKING:
    from bench.modeling.models.facts import Facts
    from bench.training.job import Adapted, Job, Part

VERSION = 1
GIVES = "texts"
SHOTS = True
TEMPLATES = ()


def applies(facts: Facts, modality: str, labels: Sequence[str], label_map: Mapping[str, str]) -> str | None:
    """An encoder that would have to be joined with another has never learnt to write."""
    how: Any = writer(facts)
    return None if how in ("encoder-decoder", "decoder") else "it has not learnt to write text"


def adapt(job: Job) -> Adapted:
    """The pretrained model under the objective's own reading.

    After examples, a decoder without a chat template answers up to the first blank line: it goes on with examples of
    its own, unless answers hold blank lines themselves.
    """
    from bench.modeling.prompts.few_shot_examples import BLANK
    from bench.modeling.prompts.generation_prompt import ends_at_a_blank_line
    from bench.training.job import Adapted

    model = job.model(pretrained=True, frozen=True).eval()
    cut = ends_at_a_blank_line(job.facts, job.tokenizer, job.shots)

    def predict(part: Part) -> Any:
        written = job.objective.answer(job, model, part)
        return [[text.partition(BLANK)[0].rstrip() for text in texts] for texts in written] if cut else written

    return Adapted.as_is(predict, model)


def used(job: Job) -> dict[str, Any]:
    """The template, and whether the model's own for conversations is around it."""
    from bench.modeling.prompts.generation_prompt import chats

    return {"template": job.parameters.template, "chat_template": chats(job.facts, job.tokenizer)}
