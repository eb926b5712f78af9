"""Arguments and options that several commands share."""

from __future__ import annotations

import click

RESULTS = click.option(
    "--results", type=click.Path(file_okay=False), default="results", show_default=True, help="Where results lie."
)
SMOKE = click.option("--smoke", is_flag=True, help="Every model × task × regime once, a handful of examples and steps.")
ONLY = click.option(
    "--only",
    multiple=True,
    metavar="AXIS=VALUE",
    help="Only what matches: model, task, regime, size=64,256, noise or seed=0.",
)
YES = click.option("--yes", is_flag=True, help="Go on although there are more than 10,000 trials.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
SUITE = click.argument("suite", type=click.Path())
PLACE = click.argument("place", metavar="RESULTS", type=click.Path())
SMOKE_RESULTS = click.option("--smoke", is_flag=True, help="Of a suite: what its smoke run left.")
