"""A class for every pixel: cross-entropy over labelled pixels, at each mask's own size (Long et al. 2015)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bench.contracts import Baseline, Context, Objective, Part, Predictions

if TYPE_CHECKING:
    from torch import nn

    from bench.modeling.heads.segmenter import Segmenter
    from bench.modeling.models.facts import Facts
    from bench.training.loss import Goal

SEGMENT = (
    "beit", "data2vec-vision", "dpt", "mobilenet_v2", "mobilevit", "mobilevitv2", "sapiens2", "segformer", "tipsv2_dpt",
    "upernet",
)  # fmt: skip
"""Architectures that transformers builds with a head for semantic segmentation."""


class Masks(Objective):
    """One class a pixel. What is kept of an answer is how many pixels of each class were given which class."""

    VERSION = 1
    ANSWERS = "masks"

    def applies(self, facts: Facts) -> str | None:
        """None for the architectures that transformers has a decode head for."""
        if facts.model_type in SEGMENT or facts.head == "semantic-segmentation":
            return None
        return f"transformers has no decode head for segmentation on {facts.model_type or 'this model'}"

    def build(self, context: Context, *, pretrained: bool, frozen: bool) -> Segmenter:
        """transformers' segmentation model with a new last layer, in float32."""
        from bench.modeling.heads.segmenter import segmenter
        from bench.modeling.models.loading import build_options

        options = build_options(context, frozen=frozen)
        options.pop("dtype")  # the decode head trains, and takes what the backbone gives
        return segmenter(context.folder, classes=len(context.labels), pretrained=pretrained, **options)

    def blocks(self, model: Segmenter) -> Any:
        """The backbone's stack of blocks or stages, or None."""
        from bench.modeling.heads.classifier import blocks

        return blocks(model.backbone)

    def new(self, model: Segmenter) -> list[nn.Module]:
        """The last layer, or where the files hold no decode head the whole of that."""
        return list(model.new)

    def goal(self, context: Context, part: Part) -> Goal:
        """Mean cross-entropy over labelled pixels, of logits that are brought to the mask's size."""
        import torch
        from torch.nn.functional import cross_entropy

        from bench.data.masks import UNLABELLED
        from bench.modeling.inference.confusion import at_size
        from bench.training.loss import Goal

        encoded = context.features.encoded(part.split)

        def loss(model: torch.nn.Module, rows: np.ndarray) -> torch.Tensor:
            indices = part.indices[rows]
            logits = model(encoded.batch(indices, context.device)).float()
            total = torch.zeros((), device=context.device)
            for one, index in zip(logits, part.labels[rows], strict=True):
                mask = encoded.sent(index, context.device)
                found = at_size(one, mask)[None]
                total = total + cross_entropy(found, mask[None], ignore_index=UNLABELLED, reduction="sum")
            return total

        return Goal(loss, encoded.counts[part.labels].sum(axis=1), np.asarray(encoded.lengths)[part.indices])

    def answer(self, context: Context, model: Any, part: Part) -> Predictions:
        """Confusion counts, int32 [1, n, classes, classes + 1]; see `Metric`."""
        from bench.modeling.inference.confusion import confusions

        return Predictions(confusions(context, model, part))

    def targets(self, context: Context, part: Part) -> np.ndarray:
        """Labelled pixels of each class, int64 [n, classes]."""
        found: np.ndarray = context.features.encoded(part.split).counts[part.labels]
        return found

    def baselines(self, context: Context, part: Part) -> dict[str, Baseline]:
        """majority: the class of most pixels; mean-mask: at each place the class most frequent there. Both of the
        labels that the trial might see; {} where it sees none."""
        from bench.training.mean_mask import majority, mean_mask

        if not len(context.parts["train"].indices):
            return {}
        return {"majority": lambda: majority(context, part), "mean-mask": lambda: mean_mask(context, part)}

    def lost(self, answers: np.ndarray) -> np.ndarray:
        """Where the logits were no finite numbers."""
        found: np.ndarray = answers.min(axis=(0, 2, 3)) < 0
        return found

    def constant(self, answers: np.ndarray) -> bool:
        """Whether every pixel of several images got the same class."""
        return answers.shape[1] > 1 and int((answers.sum(axis=(0, 1, 2)) > 0).sum()) <= 1

    def doubt(self, targets: np.ndarray, answers: np.ndarray) -> float:
        """The fraction of labelled pixels with a wrong class."""
        right = np.trace(answers[0], axis1=1, axis2=2).sum()
        return float(1 - right / max(int(targets.sum()), 1))

    def columns(self, targets: np.ndarray, answers: np.ndarray) -> dict[str, Any]:
        """confusion: the counts of an image, row by row."""
        return {"confusion": list(answers.reshape(answers.shape[0] * answers.shape[1], -1))}
