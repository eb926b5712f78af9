"""The table that `bench report --rows … --columns …` asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from bench.analysis.pivot import COSTS, Pivot
from bench.report import numbers, tables
from bench.report.table import Cell, Table

HEADS = {"size": "labels", "noise": "wrong labels"}


def table(found: Pivot) -> Table:
    """Its rows and columns as they were asked for."""
    asked = found.asked
    at = {(one["row"], one["column"]): one for _, one in found.frame.iterrows()}
    rows = [
        [Cell(_value(asked.rows, row)), *(_cell(at.get((row, column))) for column in found.columns)]
        for row in found.rows
    ]
    what = " or ".join(dict.fromkeys(name for name in found.frame["metric"] if name)) or "score"
    only = f" ({', '.join(asked.only)})" if asked.only else ""
    what = tables.COST_WORDS.get(what, what)
    notes = []
    if any(cell.bold for row in rows for cell in row):
        notes.append("Bold: the best mean among the regimes of its task, model, size and noise.")
    if found.over:
        notes.append(f"Several cells in one place: the mean of theirs, over {', '.join(found.over)} (how many cells).")
    interval = "" if asked.metric in COSTS else ": mean ± half-width of the 95 % interval (number of seeds)"
    return Table(
        f"{what} by {asked.rows} and {HEADS.get(asked.columns, asked.columns)}{only}{interval}.",
        [HEADS.get(asked.rows, asked.rows), *(_value(asked.columns, column) for column in found.columns)],
        "l" + "r" * len(found.columns),
        rows,
        notes=notes,
        name="asked",
    )


def _value(axis: str, value: Any) -> str:
    return numbers.percent(value) if axis == "noise" else str(value)


def _cell(one: pd.Series | None) -> Cell:
    if one is None:
        return Cell("not planned")
    if not one["seeds"]:
        return Cell(tables.state(one["state"]))
    cells = f" ({one['cells']} cells)" if one["cells"] > 1 else ""
    if one["metric"] in COSTS:
        form: Callable[[float], str] = tables.COST_FORMS.get(one["metric"], numbers.quantity)
        return Cell(form(one["mean"]) + cells)
    half = f" ± {numbers.score((one['high'] - one['low']) / 2)}" if one["low"] == one["low"] else ""
    return Cell(numbers.score(one["mean"]) + half + (cells or f" ({one['seeds']})"), bold=bool(one["best"]))
