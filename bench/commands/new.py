"""`bench new`: a plugin's file to start from."""

from __future__ import annotations

from pathlib import Path

import click

from bench import plugins


@click.command()
@click.argument("kind", type=click.Choice([*plugins.SINGULAR]))
@click.argument("name")
@click.option("--folder", type=click.Path(path_type=Path), default=Path(), help="Where to write it; default: here.")
def command(kind: str, name: str, folder: Path) -> None:
    """Write a plugin's file that works as it is, to be changed into what is wanted.

    \b
    bench new metric top-two
    bench new regime my-way --folder src/my_package
    """
    from bench.planning import new_plugin

    path = new_plugin.write(kind, name, folder)
    click.echo(f"wrote {path}\n\n{new_plugin.next_steps(kind, name, path)}")
