"""What exports say of a suite: its scored cells with the trial they are of, and its trials as runs of a tracker."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench.analysis import frame
from bench.analysis.results import Results, scored
from bench.store import paths, safe_reading
from bench.store.record import Environment, Record


@dataclass(frozen=True)
class Scored:
    """A cell that has a score. row: the frame's, `size` 0 where no label is seen; trial: that of its first seed."""

    row: dict[str, Any]
    records: Sequence[Record]

    @property
    def trial(self) -> dict[str, Any]:
        """The trial of its first seed, as its record has it."""
        return dict(self.records[0]["trial"])

    @property
    def environment(self) -> Environment:
        """What it ran in."""
        return self.records[0].get("environment", {})

    @property
    def finished(self) -> str:
        """When its last seed ended."""
        return max(str(r.get("finished") or "") for r in self.records)


def cells(results: Results) -> list[Scored]:
    """Every scored cell once, in the order of the plan."""
    table = frame.cells([results])
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for found_row in table.to_dict("records"):
        row = {str(key): value for key, value in found_row.items()}
        blind = row["labels"] == 0
        at = (0, 0.0) if blind else (row["size"], float(row["noise"]))
        rows.setdefault((row["task"], row["model"], row["regime"], row["environment"], *at), row)
    found = []
    for place in results.places:
        cell, ok = place.cell, scored(place)
        at = (cell["size"], float(cell["noise"]))
        own = rows.get((cell["task"], cell["model"], cell["regime"], place.environment, *at))
        if ok and own is not None:
            found.append(Scored({**own, "size": at[0], "noise": at[1]}, ok))
    return found


def named(trial: dict[str, Any]) -> str:
    """A model's id on the Hub, else what the suite calls it."""
    return str(trial["model"].get("parameters", {}).get("hub") or trial["names"]["model"])


@dataclass(frozen=True)
class Run:
    """A trial as trackers have runs. config: the trial, nested keys joined by dots; summary: scores and costs; steps:
    of each training step, its loss."""

    name: str
    group: str
    config: dict[str, str | float | bool]
    summary: dict[str, float]
    losses: list[float]


def runs(results: Results) -> Iterator[Run]:
    """Every scored trial of the plan that counts."""
    for cell in cells(results):
        row = cell.row
        for record in cell.records:
            trial = record["trial"]
            parts = [row["task"], row["model"], row["regime"], f"size {row['size']}", f"noise {row['noise']:g}"]
            config = dict(_leaves({"trial": trial, "environment": record.get("environment", {})}))
            scores = {f"test/{name}": value for name, value in record["scores"]["test"].items()}
            scores |= {f"validation/{n}": v for n, v in record["scores"].get("validation", {}).items()}
            costs = {name: value for name, value in _leaves({"costs": record["costs"]}) if not isinstance(value, str)}
            summary = {name: float(value) for name, value in {**scores, **costs}.items()}
            yield Run(
                " / ".join([*map(str, parts), f"seed {trial['seed']}"]), f"{row['task']} / {row['model']}", config,
                {name: value for name, value in summary.items() if math.isfinite(value)}, _losses(results, record),
            )  # fmt: skip


def _losses(results: Results, record: Record) -> list[float]:
    """The training loss of each step; empty where there was none, or its file is lost."""
    try:
        place = paths.curve(results.folder, record["trial"]["id"], str(record.get("attempt")))
        found = json.loads(safe_reading.whole(place)).get("losses", [])
        return [float(value) for value in found if isinstance(value, int | float)]
    except (OSError, ValueError, AttributeError, RecursionError):
        return []


def _leaves(value: Any, prefix: str = "") -> Iterator[tuple[str, str | float | bool]]:
    """(dotted key, plain value) of nested dicts; a list as its JSON; nothing of None."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, bool | int | float | str):
        yield prefix, value
    elif value is not None:
        yield prefix, json.dumps(value, ensure_ascii=False, default=str)
