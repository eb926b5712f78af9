"""Use the model as it is, without a label: its own head where that fits (as-is), else by prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from bench.errors import NotApplicable
from bench.suite.parameters import RegimeParameters

if TYPE_CHECKING:
    from bench.training.job import Adapted, Job

VERSION = 1
TUNED = None
LABELS = TRAINS = False


class Parameters(RegimeParameters):
    """How to answer."""

    way: str | None = Field(default=None, description="one of `bench list zeroshot`; null: the first the model can do")
    prior: bool = Field(default=False, description="likelihood: judge a label against its likelihood without the text")


def resolve(facts: Any, question: Any, parameters: Parameters, shots: bool = False) -> dict[str, Any]:
    """The way this model answers, for the trial to hold; with `shots` one that takes examples in its prompt.

    Raises NotApplicable where it has none.
    """
    from bench import plugins, zeroshot

    asked = (question.modality, question.labels, question.label_map, question.gives, question.columns)
    if parameters.way is None:
        way, reason = zeroshot.choose(facts, *asked, shots=shots)
    else:
        way, reason = parameters.way, zeroshot.unfit(parameters.way, facts, *asked, shots=shots)
    if way is None or reason is not None:
        raise NotApplicable(str(reason))
    return {"way": way, "way_version": plugins.load("zeroshot", way).VERSION}


def adapt(job: Job, parameters: Parameters) -> Adapted:
    """Load the model with its own head; every template answers, and the scores are means over templates."""
    from bench import plugins

    way = job.trial.regime["way"]
    plugin = plugins.load("zeroshot", way)
    if hasattr(plugin, "adapt"):
        adapted: Adapted = plugin.adapt(job)
        return adapted
    return job.unlearnt(lambda loaded, inputs, _: job.ask(way, loaded, inputs, job.parameters))
