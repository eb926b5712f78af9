"""One suite's part of a report: its tables, notes and figures, the same for every format."""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from bench.analysis.failures import failures, left_out
from bench.analysis.frame import Results, size_order
from bench.analysis.frame import cells as tidy
from bench.report import numbers, tables
from bench.report.tables import Table
from bench.store import records


@dataclass(frozen=True)
class Figure:
    """One figure file: `rows` of the tidy frame against `x`, saved as `stem` with each format's ending."""

    stem: str
    caption: str
    x: Literal["labels", "noise"]
    rows: pd.DataFrame


@dataclass(frozen=True)
class Section:
    """What a report says about one suite."""

    name: str
    frame: pd.DataFrame
    scores: list[Table]
    costs: list[Table]
    failures: list[Table]
    notes: list[str]
    figures: list[Figure]

    @property
    def tables(self) -> list[Table]:
        """All tables, in the order they are shown."""
        return [*self.scores, *self.costs, *self.failures]


def _flat(value: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key in sorted(value):
            yield from _flat(value[key], f"{prefix}{key} ")
    elif value is not None:
        yield f"{prefix}{value}"


def _environments(results: Results, letters: dict[str, str]) -> Iterator[str]:
    for name, letter in letters.items():
        record = next(r for r in results.records if records.environment(r) == name)
        label = f"Environment {letter}" if len(letters) > 1 else "Environment"
        yield f"{label}: {', '.join(_flat(record['environment']))}."


def _places(frame: pd.DataFrame, letters: dict[str, str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each task, model and environment with its rows; a row of no environment stands in all of them."""
    for (task, model), rows in frame.groupby(["task", "model"], sort=False):
        known = [name for name in letters if (rows["environment"] == name).any()] or [""]
        for name in known:
            of = rows[rows["environment"].isin([name, ""])]
            regimes = dict.fromkeys(rows["regime"])
            order = of["regime"].map({regime: place for place, regime in enumerate(regimes)})
            where = f", environment {letters[name]}" if name and len(letters) > 1 else ""
            yield f"{task} with {model}{where}", of.loc[order.sort_values(kind="stable").index]


def _scores(frame: pd.DataFrame, letters: dict[str, str]) -> Iterator[Table]:
    for title, rows in _places(frame, letters):
        for noise in sorted(rows["noise"].unique()):
            wrong = f", {numbers.percent(noise)} of the labels wrong" if noise else ""
            yield tables.scores(rows[rows["noise"] == noise], title + wrong)


def _costs(frame: pd.DataFrame, letters: dict[str, str]) -> Iterator[Table]:
    for title, rows in _places(frame, letters):
        largest = max(rows["size"], key=size_order)
        rows = rows[(rows["size"] == largest) & (rows["noise"] == rows["noise"].min())]
        table = tables.costs(rows, f"{title}, {largest} labels")
        if table is not None:
            yield table


def _figures(frame: pd.DataFrame, letters: dict[str, str], suffix: str) -> Iterator[Figure]:
    for name, letter in letters.items():
        of = frame[(frame["environment"] == name) & frame["mean"].notna() & frame["labels"].notna()]
        if of.empty:
            continue
        end = suffix + (f"-{letter}" if len(letters) > 1 else "")
        where = f", environment {letter}" if len(letters) > 1 else ""
        yield Figure(
            f"learning-curves{end}",
            f"Score by label budget with 95 % intervals{where}.",
            "labels",
            of[of["noise"] == of["noise"].min()],
        )
        if of["noise"].nunique() > 1:
            noisy = of[of["noise"] > 0]
            common = of.merge(noisy[["task", "model", "size"]].drop_duplicates())
            largest = common.groupby(["task", "model"])["size"].transform(lambda sizes: max(sizes, key=size_order))
            yield Figure(
                f"label-noise{end}",
                f"Score by the fraction of wrong labels, at the largest label budget, with 95 % intervals{where}.",
                "noise",
                common[common["size"] == largest],
            )


def sections(results: Sequence[Results]) -> list[Section]:
    """One section per suite."""
    frame, built = tidy(results), []
    for index, one in enumerate(results, start=1):
        own = frame[frame["suite"] == one.name] if len(results) > 1 else frame
        letters = {
            name: string.ascii_uppercase[i] if i < 26 else f"E{i + 1}" for i, name in enumerate(one.environments)
        }
        built.append(
            Section(
                name=one.name,
                frame=own,
                scores=list(_scores(own, letters)),
                costs=list(_costs(own, letters)),
                failures=list(tables.rendered([tables.failures(failures(one)), tables.not_applicable(own)])),
                notes=[*left_out(one), *_environments(one, letters)],
                figures=list(_figures(own, letters, f"-{index}" if len(results) > 1 else "")),
            )
        )
    return built
