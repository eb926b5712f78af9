"""`bench lock`: every name of a suite resolved and brought here."""

from __future__ import annotations

import click

from bench.options import RESULTS, SUITE


@click.command()
@SUITE
@RESULTS
@click.option("--update", is_flag=True, help="Resolve everything anew: new commits, changed files.")
def command(suite: str, results: str, update: bool) -> None:
    """Resolve every name in SUITE to a commit or fingerprint, download it, and check the data.

    \b
    bench lock suites/nlp.yaml
    """
    from bench import api

    loaded = api.load_suite(suite)
    found = api.lock(loaded, results, update=update, say=lambda text: click.echo(text, err=True))
    for section in ("models", "tasks"):
        for name, entry in found[section].items():
            click.echo(f"{section[:-1]} {name}: {entry['fingerprint']}")
