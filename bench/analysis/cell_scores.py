"""The scores of one cell's seeds and, where there are predictions, the pseudo-value of every test example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.analysis import outcomes as predictions
from bench.analysis.outcomes import Outcomes
from bench.analysis.pseudo_values import recomputed
from bench.errors import StoreError
from bench.store import paths
from bench.store.record import Record

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """`scores` is [S]; `outcomes`, the pseudo-values, [S, N] with `examples` [N], or both None; `clusters` [N] or None;
    not `labelled` where no label is seen."""

    seeds: tuple[int, ...]
    scores: Floats
    outcomes: Floats | None
    examples: NDArray[np.int64] | None
    labelled: bool
    clusters: NDArray[np.int64] | None = None


def scores_on(record: Record, on: str = "") -> dict[str, float]:
    """{metric: score} on the test split, or on the also_test set of that name."""
    scores = record["scores"]
    return scores.get("also_test", {}).get(on, {}) if on else scores["test"]


def _outcomes(folder: Path, record: Record, metric: str, on: str, unusable: list[str]) -> Outcomes | None:
    """None where there are none, or none to trust; what is wrong with them goes to `unusable`."""
    trial, attempt = record["trial"]["id"], str(record.get("attempt"))
    try:
        path = paths.predictions(folder, trial, attempt, on)
        score = scores_on(record, on)[metric]
        known = None if metric in record.get("rescored", ()) else predictions.read(path, metric, score)
        return known or recomputed(path, metric, score)
    except FileNotFoundError:
        return None
    except StoreError as error:
        problem = str(error)
    except ValueError as error:
        problem = f"{path.relative_to(folder)}: {error}"
    if problem not in unusable:
        unusable.append(problem)
    return None


def collect(
    folder: Path, records: Sequence[Record], metric: str, labelled: bool, on: str = "",
    unusable: list[str] | None = None,
) -> Sample:  # fmt: skip
    """The sample of one cell's `ok` records, by seed. Falls back to scores alone where predictions do not line up.

    on: the name of an also_test set; empty: the test split; unusable: takes a sentence for each file of predictions
    that is damaged or another's. Raises StoreError where a record has no such score.
    """
    records = sorted(records, key=lambda r: int(r["trial"]["seed"]))
    for record in records:
        if metric not in scores_on(record, on):
            attempt = f"{folder}: trial {record['trial']['id']}, attempt {record.get('attempt')}"
            raise StoreError(f"{attempt}: has no {metric}, which its cell is compared by; remove its line")
    seeds = tuple(int(r["trial"]["seed"]) for r in records)
    scores = np.array([scores_on(r, on)[metric] for r in records], dtype=np.float64)
    problems = [] if unusable is None else unusable
    found = [_outcomes(folder, r, metric, on, problems) for r in records]
    whole = [f for f in found if f is not None]
    if len(whole) < len(found) or any(not np.array_equal(whole[0].examples, one.examples) for one in whole):
        return Sample(seeds, scores, None, None, labelled)
    clusters = whole[0].clusters
    if any((one.clusters is None) != (clusters is None) for one in whole):
        clusters = None
    return Sample(seeds, scores, np.stack([one.values for one in whole]), whole[0].examples, labelled, clusters)
