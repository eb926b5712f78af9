"""`bench report`: tables and figures from results."""

from __future__ import annotations

from pathlib import Path

import click

from bench.console import console as make_console
from bench.options import PLACE, RESULTS, SMOKE_RESULTS


@click.command()
@PLACE
@RESULTS
@SMOKE_RESULTS
@click.option("--out", type=click.Path(file_okay=False), help="Default: a folder `report` in each suite's results.")
def command(place: str, results: str, smoke: bool, out: str | None) -> None:
    """Write tables and figures from RESULTS, and print the tables.

    RESULTS: one suite's folder of results, a folder of them, or the suite's file.

    \b
    bench report results/
    bench report suites/nlp.yaml
    bench report results/nlp --out paper/tables
    """
    from rich.text import Text

    from bench import api
    from bench import report as reports
    from bench.printable import printable
    from bench.report.terminal import print_report

    written = list(reports.report(api.place_of(place, results, smoke=smoke), Path(out) if out else None))
    console = make_console()
    print_report([section for section, _ in written], console)
    for file in (file for _, files in written for file in files):
        console.print(Text(printable(file), style="dim"), soft_wrap=True)
