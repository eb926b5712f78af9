"""Which class a segmentation model gives to the pixels of each class, counted for every image by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from bench.contracts import Context, Part
from bench.data.masks import UNLABELLED
from bench.modeling.inference.batched import by_length


def confusions(
    context: Context, forward: Callable[[dict[str, Tensor]], Tensor], part: Part, meaning: np.ndarray | None = None
) -> np.ndarray:
    """int32 [1, n, classes, classes + 1]: labelled pixels of a class by the class that they are given; the last column
    is for answers that are none of the task's. -1 throughout where an image's logits are no finite numbers.

    forward: a batch → logits [n, outputs, height, width]. meaning: int64 [outputs], the class of each output, -1 for
    none; None: the outputs are the classes.
    """
    encoded, classes = context.features.encoded(part.split), len(context.labels)
    into = torch.arange(classes) if meaning is None else torch.from_numpy(np.where(meaning < 0, classes, meaning))
    into = into.to(context.device)
    found: list[Any] = [None] * len(part.indices)
    batches = by_length(np.asarray(encoded.lengths)[part.indices], context.evaluation_batch)
    with torch.inference_mode():
        for done, batch in enumerate(batches):
            with context.autocast():
                logits = forward(encoded.batch(part.indices[batch], context.device)).float()
            for position, one in zip(batch, logits, strict=True):
                mask = encoded.sent(part.indices[position], context.device)
                found[position] = _counted(one, mask, into, classes)
            context.tick("predict", done + 1, len(batches))
    return torch.stack(found).cpu().numpy().astype(np.int32)[None]


def at_size(logits: Tensor, mask: Tensor) -> Tensor:
    """One image's logits [outputs, height, width] at the size of its mask, bilinear between pixels' centres."""
    shape = (int(mask.shape[0]), int(mask.shape[1]))
    return interpolate(logits[None], size=shape, mode="bilinear", align_corners=False)[0]


def _counted(logits: Tensor, mask: Tensor, into: Tensor, classes: int) -> Tensor:
    """int64 [classes, classes + 1]."""
    given = into[at_size(logits, mask).argmax(dim=0)]
    known = mask != UNLABELLED
    cells = mask[known] * (classes + 1) + given[known]
    counts = torch.bincount(cells, minlength=classes * (classes + 1)).reshape(classes, classes + 1)
    return torch.where(torch.isfinite(logits).all(), counts, -1)
