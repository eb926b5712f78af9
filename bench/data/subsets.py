"""Which examples a trial may learn from: nested, stratified, and the same for every regime and model."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from bench.data.seeding import ranks


class Subset(NamedTuple):
    """Indices into the training pool, int64, each in the order in which growing sizes add them."""

    train: np.ndarray
    validation: np.ndarray


def draw(labels: np.ndarray, size: int | Literal["all"], validation: float, seed: int) -> Subset:
    """Draw a label budget and split it into training and validation.

    labels: int64 [pool], the clean class of every example in the pool. The draw depends on them, the size, the
    held-out fraction and the seed, never on a model. For one seed a larger budget contains a smaller one, part by
    part. Within a class examples come in random order; across classes every prefix is apportioned by the
    Webster/Sainte-Laguë rule (Balinski & Young 1982) after one example of each class. In each class, every
    1/validation-th example is held out, starting at a point that differs from class to class so that the fraction
    also holds over many small classes; a class's first example always trains.
    """
    classes, counts = np.unique(labels, return_counts=True)
    rank = ranks(seed, "data", len(labels))
    position = np.empty(len(labels))
    held_out = np.zeros(len(labels), dtype=bool)
    for k, (label, count) in enumerate(zip(classes, counts, strict=True)):
        members = np.flatnonzero(labels == label)
        members = members[np.argsort(rank[members])]
        within = np.arange(count)
        position[members] = np.where(within == 0, -1.0, (within + 0.5) / count)
        offset = (1 - validation) * (k + 0.5) / len(classes)
        held_out[members] = np.floor((within + 1) * validation + offset) > np.floor(within * validation + offset)
    order = np.lexsort((rank, position))
    chosen = order if size == "all" else order[:size]
    return Subset(chosen[~held_out[chosen]], chosen[held_out[chosen]])
