"""The model's own classification head, as it is: softmax, its labels' probabilities summed into the task's.

A label of the model's that fits none of the task's is left out, and the rest sum to one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bench.modeling.models.facts import Facts

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image
    import torch

    from bench.modeling.inference.zero_shot import Loaded, Settings
    from bench.training.job import Job

VERSION = 1
GIVES = "classes"
TEMPLATES = ("",)


def applies(
    facts: Facts, modality: Literal["text", "image"], labels: Sequence[str], label_map: Mapping[str, str]
) -> str | None:
    """None, or why not."""
    wanted = "sequence-classification" if modality == "text" else "image-classification"
    if facts.head != wanted or facts.labels is None:
        return f"it has no {modality}-classification head"
    if not set(range(len(labels))) <= set(meant(facts.labels, labels, label_map)):
        few = ", ".join(facts.labels[:5]) + (", …" if len(facts.labels) > 5 else "")
        return f"its head's labels {few} do not fit the task's; give the task a label_map"
    return None


def load(folder: Path, device: torch.device, dtype: torch.dtype, **options: Any) -> Loaded:
    """The model with its classification head."""
    from bench.modeling.inference import zero_shot

    config = json.loads((folder / "config.json").read_text())
    image = any("ForImageClassification" in name for name in config["architectures"])
    auto = "AutoModelForImageClassification" if image else "AutoModelForSequenceClassification"
    return zero_shot.load(auto, folder, device, dtype, text=not image, image=image, **options)


def log_probabilities(
    loaded: Loaded,
    inputs: Sequence[str] | Sequence[tuple[str, str]] | Sequence[PIL.Image.Image],
    labels: Sequence[str],
    templates: Sequence[str],
    how: Settings,
) -> np.ndarray:
    """float32 [1, examples, labels], whatever the templates."""
    import numpy as np

    from bench.modeling.inference import zero_shot

    found = logits(loaded, inputs, how)
    columns = np.array(meant(loaded.labels, labels, how.label_map))
    summed = [np.logaddexp.reduce(found[:, columns == i], axis=-1) for i in range(len(labels))]
    return zero_shot.normalised(np.stack(summed, axis=-1))[None]


def logits(
    loaded: Loaded, inputs: Sequence[str] | Sequence[tuple[str, str]] | Sequence[PIL.Image.Image], how: Settings
) -> np.ndarray:
    """What the head answers, float32 [examples, own labels]."""
    from bench.modeling.inference import zero_shot

    if loaded.tokenizer is None:
        return zero_shot.run_images(loaded, inputs, lambda pixels: loaded.model(**pixels).logits, how)
    sides = [list(inputs)] if isinstance(inputs[0], str) else [list(side) for side in zip(*inputs, strict=True)]
    encoding = loaded.tokenizer(*sides, truncation=True, max_length=loaded.length(how.max_length))
    return zero_shot.run(zero_shot.tokens(loaded, encoding), lambda batch, _: loaded.model(**batch).logits, how)


def used(job: Job) -> dict[str, Any]:
    """Which label of the task each label of the head stands for; those that stand for none are left out."""
    own = job.facts.labels or ()
    columns = meant(own, job.labels, job.parameters.label_map)
    return {"label_map": {name: job.labels[i] for name, i in zip(own, columns, strict=True) if i >= 0}}


def meant(own: Sequence[str], labels: Sequence[str], label_map: Mapping[str, str]) -> list[int]:
    """For each of the model's labels the number of the task's it means, -1 for none; upper case does not matter."""
    mapped = {name.casefold(): label.casefold() for name, label in label_map.items()}
    known = {label.casefold(): number for number, label in enumerate(labels)}
    return [known.get(mapped.get(name.casefold(), name.casefold()), -1) for name in own]
