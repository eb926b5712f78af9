"""The charts of a page, from the tidy frame: for each question one for every task and model."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.analysis.forgetting import forgetting
from bench.analysis.frame import baselines, lower_is_better, size_order
from bench.analysis.trials import tried
from bench.analysis.verdict.costs import of_row
from bench.report import numbers
from bench.report.html.chart import Chart, Point, Series, number
from bench.report.html.looks import Look
from bench.report.section import Section

Links = Callable[[pd.Series], str]
"""Where a row of the tidy frame has its details; empty where the page does not hold them."""
PLACE = ["task", "model", "environment"]


@dataclass(frozen=True)
class Gallery:
    """Charts of one kind, each made when it is asked for, and a sentence on how to read them."""

    title: str
    about: str
    charts: Iterator[Chart]


def galleries(section: Section, looks: dict[str, Look], links: Links) -> Iterator[Gallery]:
    """Of every question one; without charts where there is nothing to draw."""
    curves = (c for f in section.figures if f.x == "labels" for c in _curves(f.rows, looks, links))
    noise = (c for f in section.figures if f.x == "noise" for c in _noise(f.rows, looks, links))
    worse = (c for f in section.figures if f.x == "condition" for c in _conditions(f.rows, looks, links))
    yield from (
        Gallery(
            "Score by label budget",
            "Means over seeds with 95 % intervals. A dashed line across is a regime that sees no label; grey lines are "
            "baselines. A point leads to its trials.",
            curves,
        ),
        Gallery(
            "Score against training time",
            "At the largest label budget. Time is that of training with all of its tuning, on a logarithmic axis; what "
            "does not train stands at its left end. The line joins the regimes that no other beats in both.",
            _fronts(section.frame, COSTS[0], looks, links),
        ),
        Gallery(
            "Score by the share of wrong labels",
            "At the largest label budget that was run with wrong labels; 95 % intervals.",
            noise,
        ),
        Gallery(
            "Score by input noise",
            "At the largest label budget; 95 % intervals. Training, validation and test images alike are spoilt.",
            worse,
        ),
        Gallery(
            "Forgetting against learning",
            "What a model lost of another task by training (below 0 is lost) against its score on the task it was "
            "trained for.",
            _forgetting(section, looks, links),
        ),
        Gallery(
            "Validation score by the tuned value",
            "Each point is the mean of the tuning trials with one value, at the largest label budget.",
            _tuning(section, looks),
        ),
        Gallery(
            "Score against memory, parameters and energy",
            "As against time: the highest peak of memory, on the device where there is one; the parameters that are "
            "trained; the energy of training where it was measured.",
            (chart for cost in COSTS[1:] for chart in _fronts(section.frame, cost, looks, links)),
        ),
    )


def _places(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each task and model with its rows, apart by environment where there are several."""
    known = [name for name in rows["environment"].unique() if name]
    for (task, model), of in rows.groupby(["task", "model"], sort=False):
        for environment in known or [""]:
            at = of[of["environment"].isin([environment, ""])]
            if len(at):
                where = f", environment {environment}" if len(known) > 1 else ""
                yield f"{task}, {model}{where}", at


def _y(rows: pd.DataFrame) -> str:
    metric = str(next((m for m in rows["metric"] if m), "score"))
    return f"{metric} (lower is better)" if rows["lower_is_better"].any() else metric


def _about(row: pd.Series) -> str:
    """`full, 64 labels: .852, .841 to .863 (3 seeds)`."""
    size = row["size"]
    labels = "no labels" if row["labels"] == 0 else f"{size} labels"
    wrong = f", {numbers.percent(row['noise'])} wrong" if row["noise"] else ""
    interval = f", {numbers.score(row['low'])} to {numbers.score(row['high'])}" if row["low"] == row["low"] else ""
    count = int(row["seeds"])
    seeds = f" ({count} seed{'s' * (count != 1)})"
    return f"{row['regime']}, {labels}{wrong}: {numbers.score(row['mean'])}{interval}{seeds}"


def _point(row: pd.Series, x: float, links: Links, more: str = "") -> Point:
    return Point(x, row["mean"], row["low"], row["high"], _about(row) + more, links(row))


def _series(rows: pd.DataFrame, x: str, looks: dict[str, Look], links: Links) -> Iterator[Series]:
    for regime, of in rows.groupby("regime", sort=False):
        look = looks[str(regime)]
        if (of["labels"] == 0).all():
            yield Series(look.css, [_point(of.iloc[0], math.nan, links)], look.marker, look.hollow, level=True)
        else:
            points = [_point(row, row[x], links) for _, row in of.sort_values(x).iterrows()]
            yield Series(look.css, points, look.marker, look.hollow)


def _trivial(rows: pd.DataFrame, x: str) -> Iterator[Series]:
    """Baselines: grey."""
    for column, name in baselines(rows):
        at = rows.loc[(rows["labels"] > 0) & rows[column].notna()].drop_duplicates(x)
        points = [
            Point(row[x], row[column], about=f"{name}: {numbers.score(row[column])}")
            for _, row in at.sort_values(x).iterrows()
        ]
        if points:
            yield Series("t", points)


def _curves(rows: pd.DataFrame, looks: dict[str, Look], links: Links) -> Iterator[Chart]:
    for title, of in _places(rows):
        labelled = of.loc[of["labels"] > 0, "labels"]
        ticks = [(float(v), f"{v:,.0f}") for v in sorted(labelled.unique())]
        series = [*_trivial(of, "labels"), *_series(of, "labels", looks, links)]
        yield Chart(title, "labels", _y(of), ticks, series, log=True, apart=True)


def _noise(rows: pd.DataFrame, looks: dict[str, Look], links: Links) -> Iterator[Chart]:
    for title, of in _places(rows):
        ticks = [(float(v), numbers.percent(v)) for v in sorted(of["noise"].unique())]
        yield Chart(title, "wrong labels", _y(of), ticks, list(_series(of, "noise", looks, links)), apart=True)


def _conditions(rows: pd.DataFrame, looks: dict[str, Look], links: Links) -> Iterator[Chart]:
    for title, of in _places(rows):
        known = of.drop_duplicates("condition").sort_values("condition")
        ticks = [(float(at), str(noise)) for at, noise in zip(known["condition"], known["input_noise"], strict=True)]
        series = []
        for regime, own in of.groupby("regime", sort=False):
            look = looks[str(regime)]
            points = [
                _point(row, row["condition"], links, f"; {row['input_noise']}")
                for _, row in own.sort_values("condition").iterrows()
            ]
            series.append(Series(look.css, points, look.marker, look.hollow))
        yield Chart(title, "input noise", _y(of), ticks, series, apart=True)


def _largest(rows: pd.DataFrame) -> pd.DataFrame:
    clean = rows.loc[rows["noise"] == rows["noise"].min()]
    found: pd.DataFrame = clean.loc[clean["size"] == max(clean["size"], key=size_order)]
    return found


def seconds(row: pd.Series) -> float:
    """What training took with all that it needed before: tuning, the task before, further pretraining."""
    parts = [row[name] for name in ("train_seconds", "tuning_seconds", "pretraining_seconds", "after_seconds")]
    return math.fsum(part for part in parts if part == part)


@dataclass(frozen=True)
class Cost:
    """What a score is set against. axis: its name; of: a row's, 0 where there is none to pay, NaN where it is not
    known; words, free: of an amount, and of none."""

    axis: str
    of: Callable[[pd.Series], float]
    form: Callable[[float], str]
    words: str
    free: str


def _memory(row: pd.Series) -> float:
    return of_row({str(key): value for key, value in row.items()}, "memory")


COSTS = (
    Cost("training and tuning", seconds, numbers.duration, "of training and tuning", "no training"),
    Cost("peak memory", _memory, lambda v: numbers.quantity(v, "B"), "at its peak", "none"),
    Cost("trained parameters", lambda row: row["trainable_parameters"], numbers.quantity, "trained", "none trained"),
    Cost("energy of training", lambda row: row["train_joules"], lambda v: numbers.quantity(v, "J"), "of training", ""),
)


def _fronts(frame: pd.DataFrame, cost: Cost, looks: dict[str, Look], links: Links) -> Iterator[Chart]:
    for title, of in _places(frame[frame["compared"]]):
        known = {index: cost.of(row) for index, row in _largest(of).iterrows()}
        costs = {index: found for index, found in known.items() if not math.isnan(found)}
        rows = of.loc[list(costs)]
        paid = [found for found in costs.values() if found > 0]
        if len(rows) < 2 or not paid:
            continue
        free = min(paid) / 10 ** (0.12 * max(1.0, math.log10(max(paid) / min(paid))) + 0.15)
        points, drawn = [], []
        for index, row in rows.iterrows():
            look, spent = looks[row["regime"]], costs[index]
            said = f"; {cost.form(spent)} {cost.words}" if spent else f"; {cost.free}"
            point = _point(row, spent or free, links, said)
            points.append(point)
            drawn.append(Series(look.css, [point], look.marker, look.hollow))
        front = Series("f", _front(points, bool(rows["lower_is_better"].any())), "")
        ticks = [(free, "none")] if len(paid) < len(costs) else []
        ticks += [(value, cost.form(value)) for value in _decades(min(paid), max(paid))]
        yield Chart(f"{title}, {rows['size'].iloc[0]} labels", cost.axis, _y(rows), ticks, [front, *drawn], log=True)


def _decades(low: float, high: float) -> list[float]:
    """Powers of ten within a range, or its ends where there are fewer than two."""
    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    found = [10.0**power for power in range(first, last + 1)]
    return found if len(found) > 1 else list(dict.fromkeys([low, high]))


def _front(points: Sequence[Point], lower: bool) -> list[Point]:
    """Those that none is both better and cheaper than, from cheap to dear."""
    kept: list[Point] = []
    for point in sorted(points, key=lambda p: (p.x, p.y if lower else -p.y)):
        if not kept or (point.y < kept[-1].y if lower else point.y > kept[-1].y):
            kept.append(Point(point.x, point.y))
    return kept


def _forgetting(section: Section, looks: dict[str, Look], links: Links) -> Iterator[Chart]:
    lost = forgetting(section.results)
    if lost.empty:
        return
    keys = ["task", "model", "regime", "size", "noise", "environment"]
    both = lost.merge(section.frame, on=keys, suffixes=("_on", ""))
    for title, of in _places(both):
        for (on, metric), asked in of.groupby(["on", "metric_on"], sort=False):
            sign = -1 if lower_is_better(str(metric)) or str(metric).endswith("_loss") else 1
            series = []
            for regime, rows in asked.groupby("regime", sort=False):
                look = looks[str(regime)]
                points = [
                    Point(
                        row["mean"],
                        sign * (row["after"] - row["before"]),
                        about=f"{_about(row)}; {on} {metric} "
                        f"{numbers.score(row['before'])} → {numbers.score(row['after'])}",
                        href=links(row),
                    )
                    for _, row in rows.iterrows()
                ]
                series.append(Series(look.css, points, look.marker, look.hollow, joined=False))
            spread = sorted(asked["mean"].dropna())
            ticks = [(v, numbers.score(v)) for v in dict.fromkeys(spread[:1] + spread[-1:])]
            yield Chart(f"{title}: {on}", _y(asked), f"{metric}, change", ticks, series, zero=True)


def _tuning(section: Section, looks: dict[str, Look]) -> Iterator[Chart]:
    found = tried(section.results)
    for (task, model, parameter), of in found.groupby(["task", "model", "parameter"], sort=False):
        rows = _largest(of)
        series = []
        for regime, own in rows.groupby("regime", sort=False):
            points = list(_tried(str(regime), str(parameter), own))
            if str(regime) in looks and len(points) > 1:
                look = looks[str(regime)]
                series.append(Series(look.css, points, look.marker, look.hollow))
        if series:
            values = sorted({point.x for one in series for point in one.points})
            title = f"{task}, {model}, {rows['size'].iloc[0]} labels"
            metric = f"validation {rows['metric'].iloc[0]}"
            yield Chart(title, str(parameter), metric, [(v, number(v)) for v in values], series, log=min(values) > 0)


def _tried(regime: str, parameter: str, rows: pd.DataFrame) -> Iterator[Point]:
    """The mean validation score at each value."""
    for value in sorted(rows["value"].unique()):
        scores = rows.loc[rows["value"] == value, "score"]
        trials = f"{len(scores)} trial{'s' * (len(scores) != 1)}"
        about = f"{regime}, {parameter} {number(value)}: {numbers.score(scores.mean())} ({trials})"
        yield Point(float(value), float(scores.mean()), about=about)
