"""`bench compare`: two folders of results side by side."""

from __future__ import annotations

import json

import click

from bench.console import console as make_console
from bench.options import JSON, RESULTS, SMOKE_RESULTS


@click.command()
@click.argument("a", metavar="A", type=click.Path())
@click.argument("b", metavar="B", type=click.Path())
@RESULTS
@SMOKE_RESULTS
@JSON
def command(a: str, b: str, results: str, smoke: bool, as_json: bool) -> None:
    """Set the results in B beside those in A: another machine, other releases, another day.

    A, B: as RESULTS of `bench report`. Where both hold the same trial, its two results are paired; each environment of
    A stands against each of B, and none are pooled. `bench compare A A` compares the environments within one folder.

    \b
    bench compare results/nlp /mnt/gpu/results/nlp
    bench compare results/nlp old/results/nlp --json
    """
    from rich.text import Text

    from bench import api
    from bench.report import comparison
    from bench.report.terminal_table import grids

    found = api.compare(*(api.place_of(place, results, smoke=smoke) for place in (a, b)))
    if as_json:
        click.echo(json.dumps([comparison.to_json(one) for one in found], indent=2))
        return
    console = make_console()
    for one in found:
        for line in comparison.heads(one):
            console.print(Text(line), soft_wrap=True)
        for table in comparison.tables(one):
            console.print(Text(f"\n{table.caption}", style="bold"))
            for part in grids(table, console.width):
                console.print(part)
            for note in table.notes:
                console.print(Text(note, style="dim"), soft_wrap=True)
