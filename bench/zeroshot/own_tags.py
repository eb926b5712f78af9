"""The model's own token-classification head, as it is: the likeliest tag at each word's first token.

Tags are matched by name; one of the model's that fits none of the task's counts as O, or, where the task has no O, is
left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.zeroshot.own_head import meant, used

if TYPE_CHECKING:
    import torch

    from bench.modeling.inference.zero_shot import Loaded
    from bench.modeling.models.facts import Facts
    from bench.training.job import Adapted, Job

__all__ = ["used"]

VERSION = 1
GIVES = "tags"
TEMPLATES = ()
OUTSIDE = "O"


def applies(facts: Facts, modality: str, labels: Sequence[str], label_map: Mapping[str, str]) -> str | None:
    """None, or why not: a tag besides O must fit."""
    if modality != "text" or facts.head != "token-classification" or facts.labels is None:
        return "it has no token-classification head"
    if not {labels[i] for i in meant(facts.labels, labels, label_map) if i >= 0} - {OUTSIDE}:
        few = ", ".join(facts.labels[:5]) + (", …" if len(facts.labels) > 5 else "")
        return f"its head's tags {few} do not fit the task's; give the task a label_map"
    return None


def load(folder: Path, device: torch.device, dtype: torch.dtype, **options: Any) -> Loaded:
    """The model with its token-classification head. Raises ModelError where the head's weights are missing."""
    from bench.modeling.inference import zero_shot

    return zero_shot.load("AutoModelForTokenClassification", folder, device, dtype, **options)


def adapt(job: Job) -> Adapted:
    """The pretrained head under the objective's own reading, each of its tags under the task's name for it."""
    import torch

    from bench.training.job import Adapted

    loaded = job.whole_model("own-tags")
    columns = meant(loaded.labels, job.labels, job.parameters.label_map)
    if strange := [name for name, column in zip(loaded.labels, columns, strict=True) if column < 0]:
        fate = "count as O" if OUTSIDE in job.labels else "are left out"
        job.notes.append(f"the model's tags {', '.join(strange)} fit none of the task's and {fate}")
    outside = job.labels.index(OUTSIDE) if OUTSIDE in job.labels else -1
    into = torch.tensor([outside if column < 0 else column for column in columns], device=job.device)

    def logits(batch: dict[str, torch.Tensor]) -> Any:
        own = loaded.model(**batch).logits.float()
        each = [own[..., into == i] for i in range(len(job.labels))]
        none = torch.full_like(own[..., 0], -torch.inf)
        return torch.stack([one.amax(-1) if one.shape[-1] else none for one in each], dim=-1)

    return Adapted.as_is(lambda part: job.objective.answer(job, logits, part), loaded.model)
