"""Length-bucketed batches: examples of like length together, so that little of a batch is padding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np

BUCKET = 8
"""Batches per bucket: examples are shuffled, cut into buckets of this many batches and sorted by length in each."""


@runtime_checkable
class Skipping(Protocol):
    """Batches that cost something to prepare, and of which some can be left out."""

    def skip(self, count: int) -> None:
        """Leave out the next ones."""
        ...


def skip(batches: Iterator[np.ndarray], count: int) -> None:
    """Leave out the next batches."""
    if isinstance(batches, Skipping):
        batches.skip(count)
        return
    for _ in range(count):
        next(batches)


def epoch(lengths: np.ndarray, batch_size: int, generator: np.random.Generator) -> list[np.ndarray]:
    """One epoch of training batches over positions 0..n-1, each position once, in random order of batches."""
    order = generator.permutation(len(lengths))
    span = batch_size * BUCKET
    batches = []
    for start in range(0, len(order), span):
        bucket = order[start : start + span]
        bucket = bucket[np.argsort(-lengths[bucket], kind="stable")]
        batches += [bucket[i : i + batch_size] for i in range(0, len(bucket), batch_size)]
    return [batches[i] for i in generator.permutation(len(batches))]


def endless(lengths: np.ndarray, batch_size: int, seed: int) -> Iterator[np.ndarray]:
    """Training batches, epoch after epoch, for ever."""
    generator = np.random.Generator(np.random.PCG64(seed))
    while True:
        yield from epoch(lengths, batch_size, generator)
