"""The scores of one cell's seeds and, where the metric is a mean over examples, the outcome of every test example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bench.analysis.statistics import Interval, crossed_interval, paired_difference, seed_interval
from bench.errors import StoreError
from bench.store import paths
from bench.store.records import Record

Floats = NDArray[np.float64]
AGREE = 1e-3
"""Outcomes whose mean is farther than this from the recorded score, or than this part of it where it is above 1, are
not that score's outcomes."""


@dataclass(frozen=True)
class Sample:
    """`scores` is [S]; `outcomes` [S, N] with `examples` [N], or both None; not `labelled` where no label is seen."""

    seeds: tuple[int, ...]
    scores: Floats
    outcomes: Floats | None
    examples: NDArray[np.int64] | None
    labelled: bool

    @property
    def basis(self) -> str:
        """What the interval covers: `seeds and examples`, `examples`, `seeds` or `nothing`."""
        several = len(self.seeds) > 1
        if self.outcomes is not None:
            return "seeds and examples" if several else "examples"
        return "seeds" if several else "nothing"

    def interval(self) -> Interval:
        """The 95 % interval of the mean score."""
        return seed_interval(self.scores) if self.outcomes is None else crossed_interval(self.outcomes)

    def _rows(self, seeds: Sequence[int]) -> list[int]:
        return [self.seeds.index(seed) for seed in seeds] if self.labelled else [0]

    def difference(self, other: Sample) -> Interval:
        """The 95 % interval of this mean minus the other's, over the seeds that both have."""
        pairs = [sample.seeds for sample in (self, other) if sample.labelled]
        seeds = sorted(set.intersection(*map(set, pairs))) if pairs else [0]
        if not seeds:
            nan = float("nan")
            return Interval(float(self.scores.mean() - other.scores.mean()), nan, nan, nan, 0)
        mine, theirs = self._rows(seeds), other._rows(seeds)
        if (
            self.outcomes is None or other.outcomes is None or not np.array_equal(self.examples, other.examples)  # type: ignore[arg-type]
        ):
            return seed_interval(self.scores[mine] - other.scores[theirs])
        return paired_difference(self.outcomes[mine], other.outcomes[theirs])


def scores_on(record: Record, on: str = "") -> dict[str, float]:
    """{metric: score} on the test split, or on the further test set of a name."""
    scores = record["scores"]
    return (scores.get("also_test") or {}).get(on) or {} if on else scores["test"]


def _outcomes(folder: Path, record: Record, score: float, on: str) -> tuple[NDArray[np.int64], Floats] | None:
    """Test examples in order and each one's outcome, averaged over templates; None where there are none to trust."""
    try:
        path = paths.predictions(folder, record["trial"]["id"], str(record.get("attempt")), on)
        table = pq.read_table(path, columns=["example", "outcome"])
    except (OSError, ValueError, KeyError, StoreError):  # absent, torn or foreign: pyarrow's errors are among these
        return None
    outcome = table["outcome"].to_numpy().astype(np.float64)
    if not len(outcome) or not np.isfinite(outcome).all():
        return None
    examples, index = np.unique(table["example"].to_numpy(), return_inverse=True)
    values = np.bincount(index, outcome) / np.bincount(index)
    return (examples, values) if agree(values.mean(), score) else None


def agree(mean: float, score: float) -> bool:
    """Whether outcomes of this mean are the score's."""
    return bool(abs(mean - score) < AGREE * max(1.0, abs(score)))


def collect(folder: Path, records: Sequence[Record], metric: str, labelled: bool, on: str = "") -> Sample:
    """The sample of one cell's `ok` records, by seed. Falls back to scores alone where predictions do not line up.

    on: the name of a further test set; empty: the test split.
    """
    records = sorted(records, key=lambda r: int(r["trial"]["seed"]))
    seeds = tuple(int(r["trial"]["seed"]) for r in records)
    scores = np.array([scores_on(r, on)[metric] for r in records], dtype=np.float64)
    found = [_outcomes(folder, r, s, on) for r, s in zip(records, scores, strict=True)]
    whole = [f for f in found if f is not None]
    if len(whole) < len(found) or any(not np.array_equal(whole[0][0], examples) for examples, _ in whole):
        return Sample(seeds, scores, None, None, labelled)
    return Sample(seeds, scores, np.stack([values for _, values in whole]), whole[0][0], labelled)
