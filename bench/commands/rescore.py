"""`bench rescore`: another metric from the predictions that were kept."""

from __future__ import annotations

import dataclasses
import json
import sys

import click

from bench.console import console as make_console
from bench.errors import EXIT_TRIALS_FAILED
from bench.options import JSON, ONLY, PLACE, RESULTS, SMOKE_RESULTS


@click.command()
@PLACE
@click.option("--metric", required=True, metavar="NAME", help="See `bench list metrics`.")
@ONLY
@RESULTS
@SMOKE_RESULTS
@JSON
def command(place: str, metric: str, only: tuple[str, ...], results: str, smoke: bool, as_json: bool) -> None:
    """Score the predictions in RESULTS with another metric, or a corrected one; nothing runs.

    The scores are kept in a folder `rescored` beside the records, which stay as they are; those of the newest call
    count. `bench report RESULTS --metric NAME` shows them.

    \b
    bench rescore results/nlp --metric macro-f1
    bench rescore suites/nlp.yaml --metric brier --only task=sst2 --json

    Exit code: 0 all is scored, 1 some predictions give no score, 2 none does, 3 results cannot be read or written.
    """
    from rich.text import Text

    from bench import api
    from bench.printable import printable
    from bench.report.rescored import table
    from bench.report.terminal_table import grids

    found = api.rescore(api.place_of(place, results, smoke=smoke), metric, only)
    if as_json:
        shown = [{**dataclasses.asdict(one), "file": str(one.file) if one.file else None} for one in found]
        click.echo(json.dumps(shown, indent=2))
    else:
        console = make_console()
        for one in found:
            for part in grids(table(one), console.width) if one.rows else []:
                console.print(part)
            for line in (*one.refused, *one.others):
                console.print(Text(printable(line)), soft_wrap=True)
            if one.file is not None:
                console.print(Text(f"{len(one.rows)} scores in {printable(one.file)}"), soft_wrap=True)
    sys.exit(EXIT_TRIALS_FAILED if any(one.refused for one in found) else 0)
