"""The model's own question-answering head, as it is: the start and the end of the answer in its context."""

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
GIVES = "spans"
TEMPLATES = ()


def applies(facts: Facts, modality: str, labels: Sequence[str], label_map: Mapping[str, str]) -> str | None:
    """None, or why not."""
    if modality != "text" or facts.modality != "text" or facts.head != "question-answering":
        return "it has no question-answering head over text"
    return None


def load(folder: Path, device: torch.device, dtype: torch.dtype, **options: Any) -> Loaded:
    """The model with its question-answering head. Raises ModelError where the head's weights are missing."""
    from bench.modeling.inference import zero_shot

    return zero_shot.load("AutoModelForQuestionAnswering", folder, device, dtype, **options)


def adapt(job: Job) -> Adapted:
    """The pretrained head under the objective's own reading."""
    import torch

    from bench.training.job import Adapted

    model = job.whole_model("own-spans").model

    def logits(batch: dict[str, torch.Tensor]) -> Any:
        found = model(**batch)
        return torch.stack((found.start_logits, found.end_logits), dim=-1)

    return Adapted.as_is(lambda part: job.objective.answer(job, logits, part), model)
