"""`bench check`: whether results are whole."""

from __future__ import annotations

import json
import sys

import click

from bench.errors import EXIT_TRIALS_FAILED
from bench.options import JSON, PLACE, RESULTS, SMOKE_RESULTS


@click.command()
@PLACE
@RESULTS
@SMOKE_RESULTS
@JSON
def command(place: str, results: str, smoke: bool, as_json: bool) -> None:
    """Read everything in RESULTS (or what a suite's file left there) and say what is damaged or contradictory.

    \b
    bench check results/

    Exit code: 0 all is well, 1 something is wrong, 2 there are no results, 3 they cannot be read.
    Leftovers of killed runs are named and do no harm.
    """
    from bench import api
    from bench.printable import printable

    found = api.check(api.place_of(place, results, smoke=smoke))
    if as_json:
        click.echo(json.dumps([one.to_json() for one in found], indent=2))
    else:
        for one in found:
            click.echo(f"{one.suite}: {one.records} records, {len(one.problems)} problems")
            for line in [*one.problems, *(f"leftover, may be removed: {name}" for name in one.leftovers)]:
                click.echo(f"  {printable(line)}")
    sys.exit(EXIT_TRIALS_FAILED if any(one.problems for one in found) else 0)
