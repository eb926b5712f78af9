"""Verdicts as rows of plain values, for other programs."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from bench.analysis.verdict.between import labels
from bench.analysis.verdict.decision import Verdict
from bench.report import verdicts

COLUMNS = [
    "suite", "task", "model", "size", "labels", "noise", "environment", "metric", "lower_is_better", "tolerance",
    "prefer", "decided", "regime", "guess", "probability_right", "loss_if_wrong", "adequate", "open", "out",
    "over_limits", "seeds", "seeds_needed", "test_examples", "test_examples_needed", "why", "scores", "costs",
    "sentence",
]  # fmt: skip


def to_json(verdict: Verdict) -> dict[str, Any]:
    """One verdict, in `COLUMNS`; what is not known is None."""
    column, settling = verdict.column, verdict.settling
    counts = [one.values.shape[1] for one in column.candidates if one.values is not None]
    said = {
        **{key: getattr(column, key) for key in ("suite", "task", "model", "size", "noise", "environment", "metric")},
        "labels": labels(column),
        "lower_is_better": column.lower_is_better,
        "tolerance": column.tolerance,
        "prefer": verdict.prefer,
        "decided": verdict.decided,
        "regime": verdict.chosen,
        "guess": verdict.guess,
        "probability_right": verdict.right,
        "loss_if_wrong": verdict.regret,
        "adequate": list(verdict.adequate),
        "open": list(verdict.open),
        "out": list(verdict.out),
        "over_limits": verdict.over,
        "seeds": max((len(one.seeds) for one in column.candidates if one.labelled), default=0),
        "seeds_needed": settling.seeds if settling else None,
        "test_examples": max(counts, default=None),
        "test_examples_needed": settling.examples if settling else None,
        "why": verdict.why,
        "scores": {one.name: one.mean for one in column.candidates},
        "costs": verdict.cost,
        "sentence": verdicts.sentence(verdict),
    }
    return {key: plain(said[key]) for key in COLUMNS}


def plain(value: Any) -> Any:
    """As JSON can hold it: no number that is none, and no endless one."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
