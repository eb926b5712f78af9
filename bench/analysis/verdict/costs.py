"""What each candidate of a column costs, in the terms that a user may prefer or limit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, get_args

from bench.analysis.column import Column

Prefer = Literal["train-time", "memory", "stored", "inference", "total"]
PREFER: tuple[Prefer, ...] = get_args(Prefer)
UNITS: dict[Prefer, str] = {
    "train-time": "seconds", "memory": "bytes", "stored": "bytes", "inference": "seconds", "total": "seconds",
}  # fmt: skip
_FREE_WITHOUT_TRAINING = ("train-time", "stored")


def _number(row: Mapping[str, Any], name: str) -> float:
    value = row.get(name)
    return float(value) if isinstance(value, int | float) else math.nan


def _sum(*values: float) -> float:
    known = [value for value in values if not math.isnan(value)]
    return math.fsum(known) if known else math.nan


def _most(*values: float) -> float:
    return max((value for value in values if not math.isnan(value)), default=math.nan)


def tuning_seconds(row: Mapping[str, Any]) -> float:
    """What tuning took for one seed: all trials where one value served every seed, else their part."""
    runs = _number(row, "tuned_seeds")
    return _number(row, "tuning_seconds") / (1.0 if math.isnan(runs) or runs < 1 else runs)


def of_row(row: Mapping[str, Any], prefer: Prefer) -> float:
    """One regime's cost from its row of the tidy frame; NaN where nothing was measured.

    train-time: seconds of optimiser steps, of what was trained before, and of tuning; memory: the highest peak in
    bytes, on the device where there is one, else of the host; stored: bytes to keep beside the model; inference:
    seconds an example; total: seconds of a whole trial and its tuning.
    """
    untrained = row.get("labels") == 0 or row.get("seen_labels") is False
    if prefer == "train-time":
        found = _sum(*(_number(row, f"{stage}_seconds") for stage in ("train", "pretraining", "after")))
        return 0.0 if untrained else _sum(found, tuning_seconds(row))
    if prefer == "memory":
        device = _most(_number(row, "train_reserved_bytes"), _number(row, "inference_reserved_bytes"))
        return device if device > 0 else _most(_number(row, "train_host_bytes"), _number(row, "inference_host_bytes"))
    if prefer == "stored":
        found = _number(row, "stored_bytes")
        return 0.0 if untrained and math.isnan(found) else found
    if prefer == "inference":
        latency, rate = _number(row, "latency_seconds"), _number(row, "inference_examples_per_second")
        if not math.isnan(latency):
            return latency
        tested = _number(row, "test_seconds") / _number(row, "test_examples")
        return 1 / rate if rate > 0 else tested
    return _sum(_number(row, "total_seconds"), tuning_seconds(row))


def costs(column: Column, prefer: Prefer) -> dict[str, float]:
    """The cost of each candidate, NaN where it is not known. A baseline costs nothing: it takes no pretrained model."""
    return {
        one.name: 0.0 if one.kind == "baseline" else of_row(column.rows.get(one.name, {}), prefer)
        for one in column.candidates
    }


def by_cost(column: Column, prefer: Prefer) -> list[str]:
    """Names, the cheapest first; what is not known comes last, and equal costs are told apart by the other costs."""
    tables = [costs(column, one) for one in (prefer, "train-time", "stored", "inference", "memory")]
    place = {one.name: index for index, one in enumerate(column.candidates)}
    baseline = {one.name: one.kind != "baseline" for one in column.candidates}

    def key(name: str) -> tuple[Any, ...]:
        known = [(math.isnan(table[name]), 0.0 if math.isnan(table[name]) else table[name]) for table in tables]
        return (known[0], baseline[name], *known[1:], place[name])

    return sorted(place, key=key)
