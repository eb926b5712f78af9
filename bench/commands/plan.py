"""`bench plan`: what would run."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bench.console import console as make_console
from bench.options import JSON, ONLY, RESULTS, SMOKE, SUITE, YES


@click.command()
@SUITE
@RESULTS
@SMOKE
@ONLY
@YES
@JSON
def command(suite: str, results: str, smoke: bool, only: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Show what would run of SUITE, without a network and without torch.

    \b
    bench plan suites/nlp.yaml
    bench plan suites/nlp.yaml --only task=sst2 --json
    """
    from bench import api
    from bench.planning.summary import summarise
    from bench.planning.trial_counts import STATES

    found = api.plan(api.load_suite(suite), results, smoke=smoke, only=only, yes=yes)
    summary = summarise(found, Path(results), smoke)
    if as_json:
        click.echo(json.dumps(summary, indent=2))
        return
    from rich.text import Text

    from bench.report.table import Table, cells
    from bench.report.terminal_table import grids

    console = make_console()
    console.print(Text(f"suite {summary['suite']}"))
    counted = [(axis, value, of) for axis, values in summary["axes"].items() for value, of in values.items()]
    rows = [cells(f"{axis} {value}", *(of[state] for state in STATES)) for axis, value, of in counted]
    whole = cells("all", *(summary["trials"][state] for state in STATES))
    for part in grids(Table("", ["", *STATES], "l" + "r" * len(STATES), rows, [whole]), console.width):
        console.print(part)
    for line in summary["notes"]:
        console.print(Text(line), soft_wrap=True)
