"""Draws learning curves and label noise, fit for print."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import NullLocator

from bench import plugins
from bench.analysis.frame import baselines
from bench.errors import UsageError
from bench.printable import printable
from bench.report import numbers
from bench.report.figure_styles import styles as looks
from bench.report.section import Figure

DASHES = (":", "-.", (0, (1, 4)), (0, (5, 4, 1, 4)))
"""Of baselines, which all are grey."""
HEIGHT = 2.0
"""Inches: of a panel."""
LEGEND, NAMES = 0.17, 0.4
"""Inches: of a line of the legend, and of conditions' names below a panel."""
ACROSS = 3
"""Panels in a line."""
CROWDED = 5
"""More ticks than this stand aslant."""
STYLE = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "pdf.fonttype": 42,
    "svg.hashsalt": "bench",
}
_X = {"labels": "label budget", "noise": "wrong labels", "condition": "input noise"}


def _bounded(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of one panel, their intervals within what its metric can be; the tables keep them as they are."""
    try:
        low, high = plugins.load("metrics", rows["metric"].iloc[0]).RANGE
    except UsageError:  # another package's metric, that is not installed here
        return rows
    return rows.assign(low=rows["low"].clip(low, high), high=rows["high"].clip(low, high))


def _flat(axes: Any, row: pd.Series, style: dict[str, Any]) -> Any:
    """A score that depends neither on labels nor on their noise: a line across the panel."""
    if row["low"] == row["low"]:
        axes.axhspan(row["low"], row["high"], color=style["color"], alpha=0.08, linewidth=0)
    drawn = {"linestyle": (0, (5, 2))} | {key: style[key] for key in ("color", "linestyle") if key in style}
    return axes.axhline(row["mean"], **drawn)


def _curve(axes: Any, rows: pd.DataFrame, x: str, style: dict[str, Any]) -> Any:
    axes.fill_between(rows[x], rows["low"], rows["high"], color=style["color"], alpha=0.12, linewidth=0)
    ends = np.stack([rows["mean"] - rows["low"], rows["high"] - rows["mean"]]).clip(min=0)  # a bounded interval may
    # begin a rounding error above a mean that is its end
    axes.errorbar(rows[x], rows["mean"], ends, fmt="none", ecolor=style["color"], elinewidth=0.6, capsize=1.5)
    return axes.plot(rows[x], rows["mean"], **style)[0]


def _panel(
    axes: Any, rows: pd.DataFrame, x: str, styles: dict[str, dict[str, Any]], trivial: dict[tuple[str, str], Any]
) -> dict[str, Any]:
    """Draw it, and return a line for each regime and baseline in it. trivial: (column, name) of a baseline → dash."""
    handles = {}
    for regime, of in rows.groupby("regime", sort=False):
        if (of["labels"] == 0).all() and x != "condition":
            handles[str(regime)] = _flat(axes, of.iloc[0], styles[str(regime)])
        else:
            handles[str(regime)] = _curve(axes, of.sort_values(x), x, styles[str(regime)])
    labelled = rows if x == "condition" else rows.loc[rows["labels"] > 0]
    for (column, name), dash in trivial.items():
        found = labelled.groupby(x)[column].first()
        if found.notna().any():
            handles[name] = axes.plot(found.index, found, color="#555555", linestyle=dash)[0]
    if x == "labels":
        ticks = sorted(rows.loc[rows["labels"] > 0, "labels"].unique())
        axes.set_xscale("log")
        axes.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks], rotation=45 if len(ticks) > CROWDED else 0)
    elif x == "condition":
        names = dict(rows.sort_values("condition")[["condition", "input_noise"]].itertuples(index=False, name=None))
        axes.set_xticks([*names], [*map(str, names.values())], rotation=20, ha="right", rotation_mode="anchor")
    else:
        ticks = sorted(rows["noise"].unique())
        axes.set_xticks(ticks, [numbers.percent(tick) for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.5)
    axes.set_axisbelow(True)
    return handles


def _grid(rows: pd.DataFrame) -> list[list[tuple[str, pd.DataFrame]]]:
    """Lines of panels, each with its title: a task a line, its models across; or where each task has one model, as many
    tasks in a line as fit."""
    tasks = [
        [(f"{task!s}, {model!s}", of) for model, of in own.groupby("model", sort=False)]
        for task, own in rows.groupby("task", sort=False)
    ]
    if max(map(len, tasks)) > 1:
        return tasks
    panels = [panel for line in tasks for panel in line]
    return [panels[i : i + ACROSS] for i in range(0, len(panels), ACROSS)]


def draw(figure: Figure) -> Canvas:
    """A panel for each task and model, in it one line with its interval per regime: as wide as a column of a paper, or
    as its page where there are several across."""
    rows = figure.drawn
    regimes = list(rows["regime"].unique())
    styles = looks(figure.regimes)
    lines = _grid(rows)
    across = max(map(len, lines))
    trivial = {one: DASHES[i % len(DASHES)] for i, one in enumerate(baselines(rows))}
    names = [*map(str, regimes), *(name for _, name in trivial)]
    columns = max(1, min(len(names), int(figure.width / (0.4 + 0.055 * max(map(len, names))))))
    below = LEGEND * -(-len(names) // columns) + (NAMES if figure.x == "condition" else 0)
    canvas = Canvas(figsize=(figure.width, HEIGHT * len(lines) + below), layout="constrained")
    alone = rows.groupby("task")["model"].nunique().max() == 1
    panels = canvas.subplots(len(lines), across, squeeze=False, sharey=False if alone else "row")
    handles: dict[str, Any] = {}
    for row, line in zip(panels, lines, strict=True):
        for axes in row[len(line) :]:
            axes.set_axis_off()
        for place, (axes, (title, of)) in enumerate(zip(row, line, strict=False)):
            handles |= _panel(axes, _bounded(of), figure.x, styles, trivial)
            axes.set_title(printable(title), parse_math=False)
            axes.set_xlabel(_X[figure.x])
            if alone or not place:
                better = " (lower is better)" if of["lower_is_better"].iloc[0] else ""
                axes.set_ylabel(printable(of["metric"].iloc[0]) + better, parse_math=False)
    order = [*map(str, regimes), *(name for _, name in trivial if name in handles)]
    legend = canvas.legend(
        [handles[name] for name in order],
        [printable(name) for name in order],
        loc="outside lower center",
        ncols=min(columns, len(order)),
        columnspacing=1,
        frameon=False,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    return canvas


_METADATA: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
    "svg": {"Creator": None, "Date": None, "Format": None, "Type": None},
}


def files(figures: Iterable[Figure]) -> dict[str, bytes]:
    """Every figure as PNG, PDF and SVG, without dates or versions in them."""
    found = {}
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a name in a script that the font lacks
        for figure in figures:
            canvas = draw(figure)
            FigureCanvasAgg(canvas)
            canvas.draw_without_rendering()
            canvas.set_layout_engine(None)  # the panels have their places: no kind of file draws twice to find them
            for kind, metadata in _METADATA.items():
                data = io.BytesIO()
                canvas.savefig(data, format=kind, dpi=200, metadata=metadata)
                found[f"{figure.stem}.{kind}"] = data.getvalue()
    return found
