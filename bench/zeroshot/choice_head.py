"""The model's own head for multiple choice, as it is: a score for each context with a choice, softmax over choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from bench.modeling.inference.zero_shot import Loaded
    from bench.modeling.models.facts import Facts
    from bench.training.job import Adapted, Job

VERSION = 1
GIVES = "choices"
TEMPLATES = ()


def applies(facts: Facts, modality: str, labels: Sequence[str], label_map: Mapping[str, str]) -> str | None:
    """None, or why not."""
    own = any(name.endswith("ForMultipleChoice") for name in facts.architectures)
    return None if own and modality == "text" else "it has no multiple-choice head"


def load(folder: Path, device: torch.device, dtype: torch.dtype, **options: Any) -> Loaded:
    """The model with its multiple-choice head."""
    from bench.modeling.inference import zero_shot

    return zero_shot.load("AutoModelForMultipleChoice", folder, device, dtype, **options)


def adapt(job: Job) -> Adapted:
    """The pretrained model on the pairs that a trained one would see."""
    from bench.training.job import Adapted

    loaded = job.whole_model(job.trial.regime["way"])

    def score(batch: dict[str, Any]) -> Any:
        return loaded.model(**{name: tensor.unsqueeze(1) for name, tensor in batch.items()}).logits

    return Adapted.as_is(lambda part: job.objective.answer(job, score, part), loaded.model)
