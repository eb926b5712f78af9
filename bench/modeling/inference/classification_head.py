"""A model's own classification head: which of a task's labels its labels mean, and what it answers.

Imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench.errors import did_you_mean
from bench.modeling.inference.own_model import OwnModel

if TYPE_CHECKING:
    import numpy as np

    from bench.contracts import Context, Question
    from bench.modeling.inference.zero_shot import Loaded, Settings
    from bench.modeling.models.facts import Facts
    from bench.suite.trial import Json


class ClassificationHead(OwnModel):
    """The model with the head that it was trained to classify texts or images with, or to score texts."""

    AUTO = "AutoModelForSequenceClassification"

    def load(self, context: Context) -> Loaded:
        """The model with its head, for texts or for images by its architecture."""
        from bench.modeling.inference import zero_shot

        image = any("ForImageClassification" in name for name in context.facts.architectures)
        auto = "AutoModelForImageClassification" if image else self.AUTO
        return zero_shot.own_model(context, auto, text=not image, image=image)


def refusal(facts: Facts, question: Question) -> str | None:
    """Why the head does not answer with the task's labels, or None."""
    wanted = "sequence-classification" if question.modality == "text" else "image-classification"
    if facts.head != wanted or facts.labels is None:
        return f"it has no {question.modality}-classification head"
    if not set(range(len(question.labels))) <= set(meant(facts.labels, question.labels, question.label_map)):
        return misfit(facts.labels, question)
    return None


def misfit(own: Sequence[str], question: Question) -> str:
    """How a head's labels do not fit the task's: the first name in its label_map that is wrong, if one is."""
    for side, known, names in (
        ("the task", question.labels, question.label_map.values()), ("its head", own, question.label_map)
    ):  # fmt: skip
        folded = {name.casefold() for name in known}
        for name in names:
            if name.casefold() not in folded:
                return f"label_map names '{name}', which is no label of {side}{did_you_mean(name, known)}"
    return f"its head's labels {few(own)} do not fit the task's; give the task a label_map"


def few(labels: Sequence[str]) -> str:
    """Some of them, for messages."""
    return ", ".join(labels[:5]) + (", …" if len(labels) > 5 else "")


def meant(own: Sequence[str], labels: Sequence[str], label_map: Mapping[str, str]) -> list[int]:
    """For each of the model's labels the number of the task's it means, -1 for none; upper case does not matter."""
    mapped = {name.casefold(): label.casefold() for name, label in label_map.items()}
    known = {label.casefold(): number for number, label in enumerate(labels)}
    return [known.get(mapped.get(name.casefold(), name.casefold()), -1) for name in own]


def label_map(context: Context) -> Json:
    """Which label of the task each label of the head stands for, for the record; those that stand for none are left
    out."""
    own = context.facts.labels or ()
    columns = meant(own, context.labels, context.parameters.own_label_map())
    return {"label_map": {name: context.labels[i] for name, i in zip(own, columns, strict=True) if i >= 0}}


def logits(loaded: Loaded, inputs: Sequence[Any], how: Settings) -> np.ndarray:
    """What the head answers to texts, pairs of texts or images, float32 [examples, own labels]."""
    from bench.modeling.inference import zero_shot

    if loaded.tokenizer is None:
        return zero_shot.run_images(loaded, inputs, lambda pixels: loaded.model(**pixels).logits, how)
    sides = [list(inputs)] if isinstance(inputs[0], str) else [list(side) for side in zip(*inputs, strict=True)]
    encoding = loaded.tokenizer(*sides, truncation=True, max_length=loaded.length(how.max_length))
    return zero_shot.run(zero_shot.tokens(loaded, encoding), lambda batch, _: loaded.model(**batch).logits, how)
