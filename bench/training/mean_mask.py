"""Baselines of segmentation that look at no image: the class of most pixels, and the most frequent class at each place.

Both learn from all labels that the trial might see.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.contracts import Context, Part
from bench.data.masks import UNLABELLED
from bench.training.cross_validation import labels_in_all

MOST = 256
"""Places a side at which classes are counted: more would take more memory than they tell."""


def majority(context: Context, part: Part) -> np.ndarray:
    """Confusion counts, int32 [1, n, classes, classes + 1]."""
    seen = labels_in_all(context)
    known = context.features.encoded(seen.split).counts[seen.labels].sum(axis=0)
    counts = context.features.encoded(part.split).counts[part.labels]
    found = np.zeros((1, *counts.shape, counts.shape[1] + 1), dtype=np.int32)
    found[0, :, :, known.argmax()] = counts
    return found


def mean_mask(context: Context, part: Part) -> np.ndarray:
    """Confusion counts, int32 [1, n, classes, classes + 1]."""
    encoded, classes = context.features.encoded(part.split), len(context.labels)
    one = _mean(context, classes)
    found = np.zeros((1, len(part.labels), classes, classes + 1), dtype=np.int32)
    for row, index in enumerate(part.labels):
        mask = encoded.mask(index)
        labelled = mask != UNLABELLED
        cells = mask[labelled].astype(np.int64) * (classes + 1) + resized(one, mask.shape)[labelled]
        found[0, row] = np.bincount(cells, minlength=classes * (classes + 1)).reshape(classes, classes + 1)
    return found


def _mean(context: Context, classes: int) -> np.ndarray:
    """The most frequent class at each place, int64 [height, width], at the size that most masks have; where nobody
    labelled a place, the class of most pixels."""
    seen = labels_in_all(context)
    encoded: Any = context.features.encoded(seen.split)
    sizes, often = np.unique(encoded.shapes[seen.labels], axis=0, return_counts=True)
    height, width = np.minimum(sizes[often.argmax()], MOST)
    counts = np.zeros((classes, height, width), dtype=np.int32)
    for index in seen.labels:
        mask = resized(encoded.mask(index), (height, width))
        for number in np.unique(mask[mask != UNLABELLED]):
            counts[number] += mask == number
    found: np.ndarray = counts.argmax(axis=0)
    found[counts.sum(axis=0) == 0] = counts.sum(axis=(1, 2)).argmax()
    return found


def resized(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A mask at another size: each pixel that of the nearest centre."""
    rows, columns = (
        ((np.arange(wanted) + 0.5) * own / wanted).astype(np.int64)
        for own, wanted in zip(mask.shape, shape, strict=True)
    )
    found: np.ndarray = mask[rows][:, columns]
    return found
