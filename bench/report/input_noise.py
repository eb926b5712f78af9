"""What worse images cost: every regime under each condition, as a table, a figure and sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from bench.analysis.column import Column
from bench.analysis.frame import baselines
from bench.analysis.input_noise import PLACE, losses, side_by_side
from bench.analysis.results import Results
from bench.analysis.verdict.findings import Group, best_of, regimes_of
from bench.report import numbers
from bench.report.table import Cell, Table


def tables(results: Results, frame: pd.DataFrame, apart: dict[str, str]) -> Iterator[Table]:
    """Of each task that has conditions, with each model: regimes × conditions. apart: what is said of an
    environment."""
    rows = side_by_side(results, frame[frame["seeds"] > 0])
    for (task, model, environment), of in rows.groupby(PLACE, sort=False):
        known = of.drop_duplicates("condition").sort_values("condition")
        metric = next((name for name in of["metric"] if name), "score")
        lower = " (lower is better)" if of["lower_is_better"].any() else ""
        yield Table(
            f"{metric}{lower} on {task} with {model}{apart.get(str(environment), '')}, {of['size'].iloc[0]} labels, by "
            "input noise of training, validation and test images alike: mean ± half-width of the 95 % interval.",
            ["regime", *known["input_noise"]],
            "l" + "r" * len(known),
            [
                [Cell(str(regime)), *(_score(own[own["condition"] == at]) for at in known["condition"])]
                for regime, own in of.groupby("regime", sort=False)
            ],
            [
                [Cell(name), *(_simple(of[of["condition"] == at], column) for at in known["condition"])]
                for column, name in baselines(of)
            ],
            ["Bold: the best mean of its column, baselines included."],
            f"input-noise {task} {model} {environment if len(apart) > 2 else ''}".strip(),
        )


def _score(rows: pd.DataFrame) -> Cell:
    if rows.empty or not rows["seeds"].iloc[0]:
        return Cell(numbers.NONE)
    row = rows.iloc[0]
    half = f" ± {numbers.score((row['high'] - row['low']) / 2)}" if row["low"] == row["low"] else ""
    return Cell(numbers.score(row["mean"]) + half, bool(row["best"]))


def _simple(rows: pd.DataFrame, column: str) -> Cell:
    known = rows[column].dropna()
    name = column.partition("_")[2]
    best = any(name in str(names).split() for names in rows["best_baselines"])
    return Cell(numbers.score(known.iloc[0]), best) if len(known) else Cell(numbers.NONE)


def sentences(results: Results, columns: Sequence[Column], group: Group) -> Iterator[str]:
    """What a group's likeliest choice, or else its best regime, loses under each condition of its task."""
    column = group.largest.column
    regimes = regimes_of(column)
    best = next((one for one in regimes if one.name == group.largest.guess), best_of(column, regimes))
    for one in losses(results, columns, column, best.name) if best else ():
        interval = f" (95 %: {numbers.score(one.low)} to {numbers.score(one.high)})" if one.low == one.low else ""
        verb = "loses" if one.lost >= 0 else "gains"
        yield f"With {one.noise} {one.name} {verb} {numbers.score(abs(one.lost))}{interval if one.lost >= 0 else ''}."
