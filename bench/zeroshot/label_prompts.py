"""An image-text model compares the image with each label's prompt: softmax of its own scale · cosine.

Radford et al. 2021.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bench.modeling.models.facts import Facts

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image
    import torch

    from bench.modeling.inference.zero_shot import Loaded, Settings

VERSION = 1
GIVES = "classes"
TEMPLATES = ("a photo of a {label}.", "an image of a {label}.", "{label}")


def applies(
    facts: Facts, modality: Literal["text", "image"], labels: Sequence[str], label_map: Mapping[str, str]
) -> str | None:
    """None, or why not."""
    return None if modality == "image" and facts.head == "image-text" else "it is no image-text model over images"


def load(folder: Path, device: torch.device, dtype: torch.dtype, **options: Any) -> Loaded:
    """Both towers."""
    from bench.modeling.inference import zero_shot

    return zero_shot.load("AutoModel", folder, device, dtype, image=True, **options)


def log_probabilities(
    loaded: Loaded,
    inputs: Sequence[PIL.Image.Image],
    labels: Sequence[str],
    templates: Sequence[str],
    how: Settings,
) -> np.ndarray:
    """float32 [templates, examples, labels]."""
    import torch

    from bench.modeling.inference import zero_shot
    from bench.modeling.prompts import fill_template

    model = loaded.model

    def unit(output: Any) -> torch.Tensor:
        return torch.nn.functional.normalize(getattr(output, "pooler_output", output).float(), dim=-1)

    statements = [fill_template.statement(template, label) for template in templates for label in labels]
    siglip = model.config.model_type.startswith("siglip")  # trained on padded text, without a mask
    positions = model.config.text_config.max_position_embeddings

    def prompts_of_labels() -> torch.Tensor:
        encoding = loaded.tokenizer(
            statements,
            padding="max_length" if siglip else True,
            padding_side="right",
            truncation=True,
            max_length=min(positions, loaded.tokenizer.model_max_length),
            return_tensors="pt",
        ).to(how.device)
        text = {"input_ids": encoding["input_ids"]} | ({} if siglip else {"attention_mask": encoding["attention_mask"]})
        with torch.inference_mode():
            return unit(model.get_text_features(**text))

    prompt: torch.Tensor = how.known("statements", prompts_of_labels)
    found = zero_shot.run_images(
        loaded,
        inputs,
        lambda pixels: model.logit_scale.exp().float() * unit(model.get_image_features(**pixels)) @ prompt.T,
        how,
    )
    return zero_shot.normalised(found.reshape(len(inputs), len(templates), len(labels)).swapaxes(0, 1))
