"""`bench list`: the plugins there are."""

from __future__ import annotations

import json

import click

from bench import plugins
from bench.options import JSON


@click.command()
@click.argument("kind", required=False, type=click.Choice([folder.replace("_", "-") for folder in plugins.LISTED]))
@JSON
def command(kind: str | None, as_json: bool) -> None:
    """List regimes, task kinds, ways of zero-shot, metrics, sources, objectives, report formats and executors.

    \b
    bench list
    bench list regimes --json
    """
    from bench.planning.summary import describe

    found = {
        k: [describe(k, name) for name in plugins.names(k)]
        for k in plugins.LISTED
        if kind in (None, k.replace("_", "-"))
    }
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for folder, entries in found.items():
        click.secho(folder.replace("_", "-"), bold=True)
        for entry in entries:
            click.echo(f"  {entry['name']:28}{entry['summary']}")
            if tuned := entry.get("tuned"):
                click.echo(f"      tunes {tuned['parameter']}: [{tuned['low']:g}, {tuned['high']:g}] by default")
            for parameter in entry["parameters"]:
                default = f" = {json.dumps(parameter['default'])}" if "default" in parameter else " (required)"
                note = f"  # {parameter['description']}" if parameter["description"] else ""
                click.echo(f"      {parameter['name']}: {parameter['type']}{default}{note}")
