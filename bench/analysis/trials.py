"""The trials behind each cell: what they were, and what tuning tried."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.analysis.results import Results
from bench.errors import StoreError
from bench.store import paths, records, safe_reading
from bench.store.record import Record

MOST_POINTS = 48
"""Of a training loss; a curve as small as a word shows no more."""
MOST_BYTES = 1 << 25
MOST_LOSS = 1e30
"""What is larger, or no number, is not drawn."""
TRIED = ["task", "model", "regime", "size", "noise", "parameter", "value", "seed", "metric", "score"]


@dataclass(frozen=True)
class CellTrials:
    """A cell of the plan in one environment, with the attempts that count of its seeds, and of its tuning. `missing`:
    seeds of which there is none."""

    cell: dict[str, Any]
    environment: str
    reported: list[Record]
    tuning: list[Record]

    @property
    def missing(self) -> int:
        """How many of the planned seeds have no attempt."""
        return max(0, int(self.cell["seeds"]) - len(self.reported))


def of_cells(results: Results) -> Iterator[CellTrials]:
    """In the order of the plan; cells without any attempt are left out."""
    for cell, environment, attempts, tuning in results.places:
        shown = {record["trial"]["id"] for record in attempts}
        others = [record for record in tuning if record["trial"]["id"] not in shown]
        if attempts or others:
            yield CellTrials(cell, environment, attempts, others)


def tried(results: Results) -> pd.DataFrame:
    """A row for every trial that has a validation score with a tuned value: `TRIED`."""
    rows = []
    for record in records.latest(results.records).values():
        names = results.plan["trials"].get(record["trial"]["id"])
        trial: Any = record["trial"]
        validation = record.get("scores", {}).get("validation")
        if names is None or record["status"] != "ok" or not validation:
            continue
        metric = record["scores"]["metric"]
        for parameter, value in (trial.get("tuned") or {}).items():
            if isinstance(value, int | float):
                own = [names[key] for key in ("task", "model", "regime", "size", "noise")]
                rows.append([*own, parameter, float(value), names["seed"], metric, validation[metric]])
    return pd.DataFrame(rows, columns=TRIED)


def losses(results: Results, record: Record) -> list[tuple[float, float]]:
    """The training loss by step, in at most `MOST_POINTS` means over steps; empty where it is not known."""
    try:
        path = paths.curve(results.folder, record["trial"]["id"], str(record.get("attempt")))
        curve = json.loads(safe_reading.whole(path, MOST_BYTES))
        values = [float(value) for value in curve["losses"]]
    except (OSError, StoreError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return []
    width = max(1, -(-len(values) // MOST_POINTS))
    parts = [values[i : i + width] for i in range(0, len(values), width)]
    means = [(i * width + (len(part) + 1) / 2, sum(part) / len(part)) for i, part in enumerate(parts)]
    return [(step, mean) for step, mean in means if abs(mean) < MOST_LOSS]
