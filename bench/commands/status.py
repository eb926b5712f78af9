"""`bench status`: how far suites are."""

from __future__ import annotations

import json

import click

from bench.options import JSON, PLACE, RESULTS, SMOKE_RESULTS


@click.command()
@PLACE
@RESULTS
@SMOKE_RESULTS
@JSON
def command(place: str, results: str, smoke: bool, as_json: bool) -> None:
    """Show how far the suites in RESULTS (or the suite of that file) are, what runs now, and what failed.

    \b
    bench status results/
    bench status suites/nlp.yaml
    """
    from bench import api
    from bench.planning.summary import doing, status_of
    from bench.planning.trial_counts import said
    from bench.printable import printable

    found = status_of(api.place_of(place, results, smoke=smoke))
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for suite in found:
        click.echo(printable(f"{suite['suite']}: {said(suite['trials'])}"))
        now = doing(suite["now"]) if suite["now"] is not None else []
        for line in now + suite["failures"] + [f"damaged line, skipped: {line}" for line in suite["damaged"]]:
            click.echo(f"  {printable(line)}")
