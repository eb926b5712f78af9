"""Every cell in one table, with what sorting needs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from bench.analysis.frame import size_order
from bench.report import numbers, tables


@dataclass(frozen=True)
class Value:
    """A text, what it sorts by (empty: after all others), and where it leads."""

    text: str
    sort: str
    href: str = ""


@dataclass(frozen=True)
class Column:
    """right: of numbers."""

    head: str
    right: bool
    value: Callable[[pd.Series], Value]


def _text(name: str) -> Callable[[pd.Series], Value]:
    return lambda row: Value(str(row[name]), "")


def _number(name: str, form: Callable[[float], str]) -> Callable[[pd.Series], Value]:
    def value(row: pd.Series) -> Value:
        number = float(row[name])
        return Value(form(number), _sort(number)) if math.isfinite(number) else Value(numbers.NONE, "")

    return value


def _sort(number: float) -> str:
    return f"{number:.6g}" if math.isfinite(number) else ""


def _labels(row: pd.Series) -> Value:
    if row["labels"] == 0:
        return Value("none", "0")
    return Value(str(row["size"]), _sort(min(size_order(row["size"]), 1e12)))


def _interval(row: pd.Series) -> Value:
    if row["low"] != row["low"]:
        return Value(numbers.NONE, "")
    return Value(f"{numbers.score(row['low'])} to {numbers.score(row['high'])}", _sort(row["low"]))


def _score(row: pd.Series) -> Value:
    if not row["seeds"]:
        return Value(tables.state(row["state"]), "")
    return Value(numbers.score(row["mean"]), _sort(row["mean"]))


def _seeds(row: pd.Series) -> Value:
    whole = row["seeds"] >= row["seeds_planned"]
    return Value(str(row["seeds"]) if whole else f"{row['seeds']} of {row['seeds_planned']}", _sort(row["seeds"]))


def _bytes(number: float) -> str:
    return numbers.quantity(number, "B")


COLUMNS = {
    "task": Column("task", False, _text("task")),
    "model": Column("model", False, _text("model")),
    "regime": Column("regime", False, _text("regime")),
    "size": Column("labels", True, _labels),
    "noise": Column("wrong", True, _number("noise", numbers.percent)),
    "environment": Column("environment", False, _text("environment")),
    "metric": Column("metric", False, _text("metric")),
    "mean": Column("score", True, _score),
    "low": Column("95 % interval", True, _interval),
    "seeds": Column("seeds", True, _seeds),
    "train_seconds": Column("training", True, _number("train_seconds", numbers.duration)),
    "tuning_seconds": Column("tuning", True, _number("tuning_seconds", numbers.duration)),
    "train_host_bytes": Column("peak memory", True, _number("train_host_bytes", _bytes)),
    "train_reserved_bytes": Column("device memory", True, _number("train_reserved_bytes", _bytes)),
    "stored_bytes": Column("stored", True, _number("stored_bytes", _bytes)),
    "latency_seconds": Column("latency", True, _number("latency_seconds", numbers.duration)),
}
"""By the column of the tidy frame that they are of."""
ALWAYS = ("task", "regime", "size", "mean", "low", "seeds")


def columns(frame: pd.DataFrame) -> list[Column]:
    """Those that say something: more than one value, or a quantity that somebody has."""
    found = []
    for name, column in COLUMNS.items():
        values = frame[name]
        several = values.astype(str).nunique() > 1
        if name in ALWAYS or several or (column.right and name != "noise" and values.fillna(0).astype(bool).any()):
            found.append(column)
    return found


def distinct(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with what sees no label once, where it stands at every size and noise rate; without what no model can
    do."""
    own = ["task", "model", "regime", "environment"]
    unlabelled = frame["labels"] == 0
    again = frame[unlabelled].duplicated(own).reindex(frame.index, fill_value=False)
    return frame.loc[~(unlabelled & again) & (frame["state"] != "not_applicable")]
