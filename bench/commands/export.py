"""`bench export`: results for another program, a registry or a paper."""

from __future__ import annotations

import json

import click

from bench import plugins
from bench.options import JSON, PLACE, RESULTS, SMOKE_RESULTS


@click.command()
@PLACE
@click.option("--to", required=True, type=click.Choice(plugins.names("exports")), help="See `bench list exports`.")
@click.option("--out", type=click.Path(file_okay=False), help="Default: exports/NAME here.")
@RESULTS
@SMOKE_RESULTS
@JSON
def command(place: str, to: str, out: str | None, results: str, smoke: bool, as_json: bool) -> None:
    """Bring RESULTS to another program, a registry or a paper.

    \b
    bench export results/nlp --to every-eval-ever
    bench export results/nlp --to supplement --out paper
    bench export suites/nlp.yaml --to model-card

    Nothing leaves this machine unless a tracker's own settings (WANDB_MODE, MLFLOW_TRACKING_URI) say so.
    """
    from bench import api
    from bench.printable import printable

    found = api.export(api.place_of(place, results, smoke=smoke), to, out)
    if as_json:
        click.echo(json.dumps([str(path) for path in found], indent=2))
        return
    for path in found:
        click.echo(printable(path))
