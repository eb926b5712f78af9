"""Put a few labelled examples into the prompt; nothing is trained (Brown et al. 2020)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from bench.regimes import zero_shot

if TYPE_CHECKING:
    from bench.training.job import Adapted, Job

VERSION = 1
TUNED = None
LABELS, TRAINS, PROMPTS = True, False, True


class Parameters(zero_shot.Parameters):
    """How many examples, and how to answer."""

    k: Annotated[int, Field(ge=1)] = Field(4, description="examples in the prompt, of the labels there are")
    way: str | None = Field(
        default=None, description="one of `bench list zeroshot` that takes examples; null: the first the model can do"
    )


def resolve(facts: Any, question: Any, parameters: Parameters) -> dict[str, Any]:
    """The way this model answers, for the trial to hold. Raises NotApplicable where none takes examples."""
    return zero_shot.resolve(facts, question, parameters, shots=True)


def adapt(job: Job, parameters: Parameters) -> Adapted:
    """Zero-shot's way, with the first `k` examples of the train part, in turn from each class where there are classes.

    Whatever the size, the first `k` are the same; a noisy label stands in the prompt as it is.
    """
    part = job.parts["train"]
    examples = job.examples(part.split)
    taken = chosen(examples.labels[part.indices], parameters.k)
    if len(taken) < parameters.k:
        job.notes.append(f"{len(taken)} examples stand in the prompt, not {parameters.k}: there are no more")
    for place in taken:
        label, source = part.labels[place], examples.inputs[int(part.indices[place])]
        target = job.labels[label] if job.objective.TARGETS == "classes" else (examples.targets or [])[label]
        if hasattr(job.objective, "said"):
            target = job.objective.said(source, target)
        job.shots.append((source, target if isinstance(target, str) else target[0]))
    return zero_shot.adapt(job, parameters)


def chosen(classes: np.ndarray, k: int) -> np.ndarray:
    """The places of the first of each class, then of the second of each, and so on: int64, k of them at most."""
    turn = np.empty(len(classes), dtype=np.int64)
    for one in np.unique(classes):
        of_class = np.flatnonzero(classes == one)
        turn[of_class] = np.arange(len(of_class))
    return np.argsort(turn, kind="stable")[:k]
