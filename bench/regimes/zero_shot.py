"""Use the model as it is, without a label: its own head where that fits (as-is), else by prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.errors import NotApplicable
from bench.suite.parameters import RegimeParameters

if TYPE_CHECKING:
    import numpy as np

    from bench.training.job import Adapted, Job, Part

VERSION = 1
TUNED = None
LABELS = TRAINS = False


class Parameters(RegimeParameters):
    """way: one of `bench list zeroshot`; null: the first that the model can do."""

    way: str | None = None


def resolve(facts: Any, question: Any, parameters: Parameters) -> dict[str, Any]:
    """The way this model answers, for the trial to hold. Raises NotApplicable where it has none."""
    from bench import plugins, zeroshot

    if parameters.way is None:
        way, reason = zeroshot.choose(facts, question.modality, question.labels, question.label_map)
    else:
        way = parameters.way
        reason = plugins.load("zeroshot", way).applies(facts, question.modality, question.labels, question.label_map)
    if way is None or reason is not None:
        raise NotApplicable(str(reason))
    return {"way": way, "way_version": plugins.load("zeroshot", way).VERSION}


def adapt(job: Job, parameters: Parameters) -> Adapted:
    """Load the model with its own head; every template answers, and the scores are means over templates."""
    import torch

    from bench import plugins
    from bench.training.job import Adapted
    from bench.training.loop import accelerator_for

    plugin = plugins.load("zeroshot", job.trial.regime["way"])
    with job.stages.stage("load"):
        model = job.trial.model["parameters"]
        dtype = getattr(torch, model["dtype"])
        loaded = plugin.load(job.folder, job.device, dtype, model.get("trust_remote_code", False))
    templates = job.parameters.templates or plugin.TEMPLATES
    autocast = accelerator_for(job.training.precision, job.device).autocast

    def predict(part: Part) -> np.ndarray:
        inputs = job.inputs(part.split)
        found: np.ndarray = plugin.log_probabilities(
            loaded,
            [inputs[int(i)] for i in part.indices],
            job.labels,
            templates,
            label_map=job.parameters.label_map,
            device=job.device,
            batch_size=job.evaluation_batch,
            max_length=getattr(job.parameters, "max_length", 0),
            autocast=autocast,
            tick=lambda done, total: job.tick("predict", done, total),
        )
        return found

    total = sum(p.numel() for p in loaded.model.parameters())
    return Adapted(predict, trainable=0, total=total, stored_bytes=0)
