"""The table of published numbers and ours."""

from __future__ import annotations

import pandas as pd

from bench.report import numbers
from bench.report.table import Cell, Table, cells


def table(frame: pd.DataFrame) -> list[Table]:
    """frame: `bench.analysis.reported.reported`; no table where nothing was published."""
    if frame.empty:
        return []
    several = frame["environment"].nunique() > 1
    rows = []
    for _, row in frame.iterrows():
        where = [row["task"], row["model"], row["regime"], row["size"] or "none", row["metric"]]
        theirs = numbers.score(row["reported"])
        if row["spread"] == row["spread"]:
            theirs += f" ± {numbers.score(row['spread'])}"
        rows.append([*cells(*where, theirs), _ours(row), _difference(row), *cells(row["source"])])
        if several:
            rows[-1][1] = Cell(f"{row['model']}, {row['environment']}")
    exact = " A number without a spread and its number of runs is taken as exact." if _exact(frame) else ""
    return [
        Table(
            "Reported and ours: theirs ± their standard deviation; ours ± half of the 95 % interval (seeds); ours "
            "minus theirs with its 95 % interval.",
            ["task", "model", "regime", "labels", "metric", "reported", "ours", "difference", "source"],
            "lllrlrrrw",
            rows,
            notes=[f"Bold: the interval of the difference does not hold 0.{exact}"],
            name="reported",
        )
    ]


def _exact(frame: pd.DataFrame) -> bool:
    return bool((frame["spread"].isna() | frame["reported_seeds"].isna()).any())


def _ours(row: pd.Series) -> Cell:
    if not row["seeds"]:
        return Cell("not run")
    half = f" ± {numbers.score((row['high'] - row['low']) / 2)}" if row["low"] == row["low"] else ""
    return Cell(f"{numbers.score(row['ours'])}{half} ({row['seeds']})")


def _difference(row: pd.Series) -> Cell:
    if not row["seeds"]:
        return Cell(numbers.NONE)
    low, high = row["difference_low"], row["difference_high"]
    if low != low:
        return Cell(numbers.score(row["difference"]))
    interval = f" ({numbers.score(low)} to {numbers.score(high)})"
    return Cell(numbers.score(row["difference"]) + interval, bold=bool(low > 0 or high < 0))
