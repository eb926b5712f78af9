"""Put a few labelled examples into the prompt; nothing is trained (Brown et al. 2020)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from bench.contracts import Adapted, Context, Question, Regime
from bench.modeling.inference import choose_way
from bench.regimes.zero_shot import ZeroShotParameters
from bench.suite.trial import Json
from bench.training.untrained import untrained

if TYPE_CHECKING:
    import numpy as np

    from bench.modeling.models.facts import Facts
    from bench.probes.ledger import Ledger


class FewShotParameters(ZeroShotParameters):
    """How many examples, and how to answer."""

    k: Annotated[int, Field(ge=1)] = Field(4, description="examples in the prompt, of the labels there are")
    way: str | None = Field(
        default=None, description="one of `bench list zeroshot` that takes examples; null: the first the model can do"
    )


class FewShot(Regime[FewShotParameters]):
    """Zero-shot's way, with the first `k` examples of the train part, in turn from each class where there are classes.

    Whatever the size, the first `k` are the same; a noisy label stands in the prompt as it is.
    """

    VERSION = 1
    Parameters = FewShotParameters
    PROMPTS = True

    def resolve(self, facts: Facts, question: Question, parameters: FewShotParameters) -> Json:
        """The way this model answers. Raises NotApplicable where none takes examples."""
        return choose_way.resolve(facts, question, parameters.way, few_shot=True)

    def adapt(self, context: Context, ledger: Ledger, parameters: FewShotParameters) -> Adapted:
        """Load the model as its way asks it, with the examples in its prompts."""
        examples, notes = few_shot_examples(context, parameters.k), []
        if len(examples) < parameters.k:
            notes.append(f"{len(examples)} examples stand in the prompt, not {parameters.k}: there are no more")
        return replace(untrained(context.with_few_shot(examples), ledger), notes=tuple(notes))


def few_shot_examples(context: Context, k: int) -> tuple[tuple[object, str], ...]:
    """(input, answer in words) of the `k` examples of the train part that stand in prompts, or fewer."""
    part = context.parts["train"]
    examples, found = context.examples(part.split), []
    for place in chosen(examples.labels[part.indices], k):
        label, source = part.labels[place], examples.inputs[int(part.indices[place])]
        classes = context.objective.TARGETS == "classes"
        target = context.labels[label] if classes else (examples.targets or [])[label]
        found.append((source, context.objective.in_words(context, source, target)))
    return tuple(found)


def chosen(classes: np.ndarray, k: int) -> np.ndarray:
    """The places of the first of each class, then of the second of each, and so on: int64, k of them at most."""
    import numpy as np

    turn = np.empty(len(classes), dtype=np.int64)
    for one in np.unique(classes):
        of_class = np.flatnonzero(classes == one)
        turn[of_class] = np.arange(len(of_class))
    return np.argsort(turn, kind="stable")[:k]
