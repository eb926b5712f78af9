"""`bench audit`: what a suite's data are like."""

from __future__ import annotations

import json

import click

from bench.console import console as make_console
from bench.options import JSON, RESULTS, SUITE


@click.command()
@SUITE
@RESULTS
@click.option("--task", "tasks", multiple=True, metavar="NAME", help="Only this task; may repeat.")
@click.option("--model", metavar="NAME", help="Judge labels by this model's features. Default: by words or pixels.")
@click.option(
    "--examples",
    type=click.IntRange(4),
    default=10_000,
    show_default=True,
    help="Of a split, among which near duplicates and suspicious labels are looked for.",
)
@JSON
def command(suite: str, results: str, tasks: tuple[str, ...], model: str | None, examples: int, as_json: bool) -> None:
    """Look at the data of SUITE: suspicious labels, duplicates, overlap of train and test, balance, lengths.

    Nothing is trained but a probe, and nothing is changed; what is found is kept as audit.json in the suite's results.

    \b
    bench audit reviews.yaml
    bench audit suites/nlp.yaml --task sst2 --model minilm --json
    """
    from rich.text import Text

    from bench import api
    from bench.audit.suite import to_json
    from bench.report import audit
    from bench.report.terminal_table import grids

    found = api.audit(
        suite, results, tasks=tasks, examples=examples, model=model, say=lambda text: click.echo(text, err=True)
    )
    if as_json:
        click.echo(json.dumps([to_json(one) for one in found], indent=2))
        return
    console = make_console()
    for one in found:
        first, *rest = audit.lines(one)
        console.print(Text(first, style="bold"), soft_wrap=True)
        for line in rest:
            console.print(Text(f"  {line}"), soft_wrap=True)
        for table in audit.tables(one):
            console.print(Text(f"\n  {table.caption}", style="bold"))
            for part in grids(table, console.width):
                console.print(part)
