"""Use the model as it is, without a label: its own head where that fits (as-is), else by prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from bench.errors import NotApplicable
from bench.suite.parameters import RegimeParameters

if TYPE_CHECKING:
    import numpy as np

    from bench.training.job import Adapted, Job, Part

VERSION = 1
TUNED = None
LABELS = TRAINS = False


class Parameters(RegimeParameters):
    """How to answer."""

    way: str | None = Field(default=None, description="one of `bench list zeroshot`; null: the first the model can do")
    prior: bool = Field(default=False, description="likelihood: judge a label against its likelihood without the text")


def resolve(facts: Any, question: Any, parameters: Parameters) -> dict[str, Any]:
    """The way this model answers, for the trial to hold. Raises NotApplicable where it has none."""
    from bench import plugins, zeroshot

    if parameters.way is None:
        way, reason = zeroshot.choose(facts, question.modality, question.labels, question.label_map, question.gives)
    else:
        way, plugin = parameters.way, plugins.load("zeroshot", parameters.way)
        reason = plugin.applies(facts, question.modality, question.labels, question.label_map)
        if question.gives != plugin.GIVES:
            reason = f"'{way}' answers with {plugin.GIVES}, and the task asks for {question.gives}"
    if way is None or reason is not None:
        raise NotApplicable(str(reason))
    return {"way": way, "way_version": plugins.load("zeroshot", way).VERSION}


def adapt(job: Job, parameters: Parameters) -> Adapted:
    """Load the model with its own head; every template answers, and the scores are means over templates."""
    from bench import plugins
    from bench.training.job import Adapted

    way = job.trial.regime["way"]
    plugin = plugins.load("zeroshot", way)
    if hasattr(plugin, "adapt"):
        adapted: Adapted = plugin.adapt(job)
        return adapted
    loaded = job.whole_model(way)

    def predict(part: Part) -> np.ndarray:
        inputs = job.examples(part.split).inputs
        return job.ask(way, loaded, [inputs[int(i)] for i in part.indices], job.parameters, prior=parameters.prior)

    total = sum(p.numel() for p in loaded.model.parameters())
    return Adapted(predict, trainable=0, total=total, stored_bytes=0)
