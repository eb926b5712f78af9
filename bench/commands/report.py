"""`bench report`: tables and figures from results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.console import console as make_console
from bench.options import PLACE, RESULTS, SMOKE_RESULTS

if TYPE_CHECKING:
    from bench.analysis.pivot import Asked


@click.command()
@PLACE
@RESULTS
@SMOKE_RESULTS
@click.option("--out", type=click.Path(file_okay=False), help="Default: a folder `report` in each suite's results.")
@click.option("--open", "open_", is_flag=True, help="Open the page, report.html, in the browser.")
@click.option("--rows", metavar="AXIS", help="A table of your own: task, model, regime, size, noise or environment.")
@click.option("--columns", metavar="AXIS", help="Its columns; default: size.")
@click.option("--metric", metavar="NAME", help="What it shows: a metric, or a cost as cells.csv calls it.")
@click.option("--only", multiple=True, metavar="AXIS=VALUE", help="Of which cells: model, task, regime, size, noise.")
def command(
    place: str, results: str, smoke: bool, out: str | None, open_: bool, rows: str | None, columns: str | None,
    metric: str | None, only: tuple[str, ...],
) -> None:  # fmt: skip
    """Write tables, figures and a page from RESULTS, and print the tables.

    RESULTS: one suite's folder of results, a folder of them, or the suite's file.

    \b
    bench report results/
    bench report suites/nlp.yaml --open
    bench report results/nlp --out paper/tables
    bench report results/nlp --rows regime --columns size --metric f1 --only task=sst2

    A table of your own opens the report in every format, and is the only one printed.
    """
    from rich.text import Text

    from bench import api
    from bench import report as reports
    from bench.printable import printable
    from bench.report import browser
    from bench.report.terminal import print_report

    asked = _asked(rows, columns, metric, only)
    written = list(reports.report(api.place_of(place, results, smoke=smoke), Path(out) if out else None, asked))
    console = make_console()
    print_report([section for section, _ in written], console)
    files = [file for _, found in written for file in found]
    for file in files:
        console.print(Text(printable(file), style="dim"), soft_wrap=True)
    for page in (file for file in files if open_ and file.name == "report.html"):
        if said := browser.show(page):
            console.print(Text(printable(said)), soft_wrap=True)


def _asked(rows: str | None, columns: str | None, metric: str | None, only: tuple[str, ...]) -> Asked | None:
    from bench.analysis.pivot import Asked

    if not (rows or columns or metric or only):
        return None
    rows = rows or ("task" if columns == "regime" else "regime")
    return Asked(rows, columns or ("regime" if rows == "size" else "size"), metric, only)
