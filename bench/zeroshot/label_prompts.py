"""An image-text model compares the image with each label's prompt: softmax of its own scale · cosine.

Radford et al. 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.modeling.inference.label_scoring import LabelScoring

if TYPE_CHECKING:
    import numpy as np
    import torch

    from bench.contracts import Context, Question
    from bench.modeling.inference.zero_shot import Loaded, Settings
    from bench.modeling.models.facts import Facts


class LabelPrompts(LabelScoring):
    """Cosines of an image and labels' prompts."""

    VERSION = 1
    AUTO = "AutoModel"
    TEMPLATES = ("a photo of a {label}.", "an image of a {label}.", "{label}")

    def applies(self, facts: Facts, question: Question) -> str | None:
        """None, or why not."""
        fits = question.modality == "image" and facts.head == "image-text"
        return None if fits else "it is no image-text model over images"

    def load(self, context: Context) -> Loaded:
        """Both towers."""
        from bench.modeling.inference import zero_shot

        return zero_shot.own_model(context, self.AUTO, image=True)

    def log_probabilities(
        self, loaded: Loaded, inputs: Sequence[Any], labels: Sequence[str], templates: Sequence[str], how: Settings
    ) -> np.ndarray:
        """float32 [templates, examples, labels]."""
        from bench.modeling.inference import zero_shot
        from bench.modeling.prompts import fill_template

        model = loaded.model
        statements = [fill_template.statement(template, label) for template in templates for label in labels]
        prompt: torch.Tensor = how.known("statements", lambda: _of_texts(loaded, statements, how))
        found = zero_shot.run_images(
            loaded,
            inputs,
            lambda pixels: model.logit_scale.exp().float() * _unit(model.get_image_features(**pixels)) @ prompt.T,
            how,
        )
        return zero_shot.normalised(found.reshape(len(inputs), len(templates), len(labels)).swapaxes(0, 1))


def _of_texts(loaded: Loaded, texts: Sequence[str], how: Settings) -> torch.Tensor:
    """Embeddings of length 1, [n, width]."""
    import torch

    config = loaded.model.config
    siglip = config.model_type.startswith("siglip")  # trained on padded text, without a mask
    encoding = loaded.tokenizer(
        texts,
        padding="max_length" if siglip else True,
        padding_side="right",
        truncation=True,
        max_length=min(config.text_config.max_position_embeddings, loaded.tokenizer.model_max_length),
        return_tensors="pt",
    ).to(how.device)
    batch = {"input_ids": encoding["input_ids"]} | ({} if siglip else {"attention_mask": encoding["attention_mask"]})
    with torch.inference_mode():
        return _unit(loaded.model.get_text_features(**batch))


def _unit(output: Any) -> torch.Tensor:
    import torch

    return torch.nn.functional.normalize(getattr(output, "pooler_output", output).float(), dim=-1)
