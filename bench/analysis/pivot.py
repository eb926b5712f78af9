"""One table as it is asked for: an axis down, an axis across, a metric or a cost, and of which cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.analysis import costs
from bench.analysis.by_metric import by_metric, metrics
from bench.analysis.frame import cells, size_order
from bench.analysis.results import Results
from bench.errors import UsageError, did_you_mean
from bench.planning.only import PLACE, matches, parse

AXES = (*PLACE, "environment", "input_noise")
COSTS = (*costs.COLUMNS, "tuning_seconds")
"""Columns of the tidy frame that may stand in the place of a metric."""


@dataclass(frozen=True)
class Asked:
    """rows, columns: of `AXES`; metric: one that records hold, or one of `COSTS`, or None for each cell's own; only: as
    `--only`. Raises UsageError where that makes no table."""

    rows: str = "regime"
    columns: str = "size"
    metric: str | None = None
    only: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for option, axis in (("--rows", self.rows), ("--columns", self.columns)):
            if axis not in AXES:
                raise UsageError(f"{option} {axis}: is none of {', '.join(AXES)}{did_you_mean(axis, AXES)}")
        if self.rows == self.columns:
            raise UsageError(f"--rows {self.rows} --columns {self.columns}: name two axes")
        for axis in parse(self.only):
            if axis not in PLACE:
                raise UsageError(f"--only {axis}=…: a table of cells has {', '.join(PLACE)}")


@dataclass(frozen=True)
class Pivot:
    """`frame`: a row for each place of the table: `row`, `column`, metric, mean, low, high, seeds, best, state, cells.
    over: the axes that a place's mean goes over; rows, columns: their values in order."""

    asked: Asked
    frame: pd.DataFrame
    rows: list[Any]
    columns: list[Any]
    over: list[str]


def pivot(results: Results, frame: pd.DataFrame, asked: Asked) -> Pivot:
    """frame: the tidy one by the metrics that cells are compared by.

    Several cells in one place: the mean of theirs, without an interval. Raises UsageError where nothing is asked for
    that there is, or different metrics would be averaged.
    """
    known = metrics(results)
    if asked.metric is not None and asked.metric not in (*known, *COSTS):
        hint = did_you_mean(asked.metric, [*known, *COSTS])
        raise UsageError(
            f"--metric {asked.metric}: no record of {results.name} has it{hint}; metrics: {', '.join(known)}; costs: "
            f"{', '.join(COSTS)}; `bench rescore` finds other metrics from predictions"
        )
    if asked.metric in known:
        frame = cells([by_metric(results, str(asked.metric))])
    if "input_noise" not in frame:
        frame = frame.assign(input_noise="none")
    wanted = _only(frame, asked, results.name)
    axes = [asked.rows, asked.columns]
    if "size" not in axes:  # what sees no label stands at every size, and counts once
        twice = wanted["labels"].eq(0) & wanted.duplicated([a for a in AXES if a not in ("size", "noise")])
        wanted = wanted.loc[~twice]
    groups = [_place(keys, of, asked) for keys, of in wanted.groupby(axes, sort=False)]
    several = wanted.groupby(axes, sort=False)
    over = [axis for axis in AXES if axis not in axes and (several[axis].nunique() > 1).any()]
    return Pivot(asked, pd.DataFrame(groups), _values(wanted, asked.rows), _values(wanted, asked.columns), over)


def _only(frame: pd.DataFrame, asked: Asked, name: str) -> pd.DataFrame:
    keep = pd.Series(True, index=frame.index)
    for axis, patterns in parse(asked.only).items():
        texts = [f"{v:g}" if axis == "noise" else str(v) for v in frame[axis]]
        keep &= pd.Series([matches([text], patterns) for text in texts], index=frame.index)
    found: pd.DataFrame = frame.loc[keep & (frame["state"] != "not_applicable")]
    if found.empty:
        raise UsageError(f"--only {' '.join(asked.only)}: no cell of {name} matches all of it")
    return found


def _place(keys: Any, of: pd.DataFrame, asked: Asked) -> dict[str, Any]:
    row = {"row": keys[0], "column": keys[1], "cells": len(of), "state": of["state"].iloc[0]}
    ran = of[of["seeds"] > 0]
    if asked.metric in COSTS:
        value = ran[str(asked.metric)].mean() if len(ran) else float("nan")
        return {**row, "metric": asked.metric, "mean": value, "low": float("nan"), "high": float("nan"),
                "seeds": int(ran["seeds"].sum()), "best": False}  # fmt: skip
    names = [name for name in ran["metric"].unique() if name]
    if len(names) > 1:
        raise UsageError(
            f"{asked.rows} {keys[0]}, {asked.columns} {keys[1]}: {' and '.join(names)} would be averaged; "
            "name one with --metric, or fewer cells with --only"
        )
    one = ran.iloc[0] if len(ran) == 1 else None
    return {
        **row,
        "metric": names[0] if names else "",
        "mean": ran["mean"].mean() if len(ran) else float("nan"),
        "low": one["low"] if one is not None else float("nan"),
        "high": one["high"] if one is not None else float("nan"),
        "seeds": int(ran["seeds"].sum()),
        "best": bool(one is not None and one["best"]),
    }


def _values(frame: pd.DataFrame, axis: str) -> list[Any]:
    """Numbers by their size, names in the suite's order."""
    found: Sequence[Any] = list(dict.fromkeys(frame[axis]))
    if axis in ("size", "noise"):
        return sorted(found, key=size_order)
    return list(found)
