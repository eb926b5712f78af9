"""What a cell's seeds cost: means over them, and the highest of their memory peaks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

from bench.store.record import Record

COLUMNS = {
    "train_seconds": ("seconds", "train"),
    "pretraining_seconds": ("seconds", "pretraining"),
    "after_seconds": ("seconds", "after"),
    "validation_seconds": ("seconds", "validation"),
    "test_seconds": ("seconds", "test"),
    "total_seconds": ("seconds", "total"),
    "steps": ("steps",),
    "step_seconds": ("step_seconds", "median"),
    "train_examples_per_second": ("examples_per_second",),
    "train_tokens_per_second": ("tokens_per_second",),
    "train_host_bytes": ("memory_bytes", "train_host"),
    "inference_host_bytes": ("memory_bytes", "inference_host"),
    "train_allocated_bytes": ("memory_bytes", "train_allocated"),
    "train_reserved_bytes": ("memory_bytes", "train_reserved"),
    "inference_allocated_bytes": ("memory_bytes", "inference_allocated"),
    "inference_reserved_bytes": ("memory_bytes", "inference_reserved"),
    "trainable_parameters": ("parameters", "trainable"),
    "total_parameters": ("parameters", "total"),
    "stored_bytes": ("stored_bytes",),
    "latency_seconds": ("inference", "latency_seconds"),
    "inference_examples_per_second": ("inference", "examples_per_second"),
    "written_tokens_per_second": ("inference", "tokens_per_second"),
    "prompt_tokens": ("tokens", "prompt"),
    "completion_tokens": ("tokens", "completion"),
    "price": ("price", "amount"),
    "train_joules": ("energy_joules", "train"),
    "test_joules": ("energy_joules", "test"),
    "train_flops": ("flops", "train"),
    "utilisation": ("flops", "utilisation"),
}
"""Column of the tidy frame → where a record's `costs` holds it."""
MOST = 1e100
"""What is larger is no measurement, and its sums are no numbers."""


def _value(record: Record, path: Sequence[str]) -> float | None:
    """One number of a record's costs. Of earlier versions what is no cost of its name is left out: the memory of a
    training that did not happen, and the time of one answer that was one by each template."""
    costs: Any = record.get("costs")
    value = costs
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    if not isinstance(value, int | float) or abs(value) > MOST:
        return None
    if path[0] == "memory_bytes" and path[1].startswith("train_") and "train" not in (costs.get("seconds") or {}):
        return None
    if path == COLUMNS["latency_seconds"] and timed_all_templates(record):
        return None
    if path == COLUMNS["inference_examples_per_second"]:
        return float(value) * _templates(record)
    return float(value)


def _templates(record: Record) -> int:
    """How many templates answered each test example."""
    scores = record.get("scores", {}).get("templates", {})
    return max(map(len, scores.values()), default=1) or 1


def timed_all_templates(record: Record) -> bool:
    """Whether the latency is that of one answer by each template, as an earlier version took it. Behind an endpoint
    it always was a request's."""
    found = record.get("costs", {}).get("inference", {})
    return "examples_per_second" in found and "latency_templates" not in found and _templates(record) > 1


def summarise(records: Iterable[Record]) -> dict[str, float]:
    """Every column of `COLUMNS`; NaN where no record holds it."""
    records = list(records)
    row = {}
    for column, path in COLUMNS.items():
        values = [v for v in (_value(record, path) for record in records) if v is not None]
        summary = max if path[0] == "memory_bytes" else fmean
        row[column] = float(summary(values)) if values else math.nan
    return row


def total_seconds(records: Iterable[Record]) -> float:
    """The sum of what each took in all; NaN where none says, 0 for no records."""
    records = list(records)
    values = [v for v in (_value(record, COLUMNS["total_seconds"]) for record in records) if v is not None]
    return math.fsum(values) if values or not records else math.nan
