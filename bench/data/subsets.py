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
    Webster/Sainte-Laguë rule (Balinski & Young 1982) after one example of each class. `_held_out` says which of them
    are held out.
    """
    classes, counts = np.unique(labels, return_counts=True)
    rank = ranks(seed, "data", len(labels))
    position, number = np.empty(len(labels)), np.empty(len(labels), dtype=np.int64)
    for k, (label, count) in enumerate(zip(classes, counts, strict=True)):
        members = np.flatnonzero(labels == label)
        members = members[np.argsort(rank[members])]
        within = np.arange(count)
        position[members] = np.where(within == 0, -1.0, (within + 0.5) / count)
        number[members] = k
    order = np.lexsort((rank, position))
    chosen = order if size == "all" else order[:size]
    held_out = _held_out(number[chosen].tolist(), len(classes), validation)
    return Subset(chosen[~held_out], chosen[held_out])


def _held_out(classes: list[int], count: int, fraction: float) -> np.ndarray:
    """Which of the examples, in the order in which growing sizes add them, are held out: bool [n].

    One after another, so that what is added later changes nothing. In each class the fraction is right within one, and
    its first example trains. Over all classes it is right within half an example, but that a class of which none is
    held out yet may come half an example sooner: every class is there, where the fraction of the budget gives one to
    each. Which come first is up to the random order in which classes come.
    """
    found = np.zeros(len(classes), dtype=bool)
    if fraction == 0:
        return found
    seen, held, total = [0] * count, [0] * count, 0
    for place, one in enumerate(classes):
        seen[one] += 1
        owed = fraction * seen[one] - held[one]
        sooner = 1.0 if held[one] == 0 else 0.5
        due = total + 1 <= fraction * (place + 1) + sooner
        if owed > 1e-9 and seen[one] > 1 and (due or owed >= 1 - 1e-9):
            found[place] = True
            held[one] += 1
            total += 1
    return found
