"""`bench init`: a suite to start from."""

from __future__ import annotations

import click


@click.command()
@click.argument("source")
@click.argument("test", required=False)
@click.option("--kind", help="The kind of task (see `bench list tasks`); default: guessed from the columns.")
@click.option("--text", help="The column that is read; default: by its name, else that with the longest values.")
@click.option("--label", help="The column that is to be told; default: by its name, else that with the fewest values.")
@click.option("--config", help="Which configuration of a data set on the Hub.")
@click.option("--model", "models", multiple=True, help="A Hub id or local folder; may repeat.")
def command(
    source: str, test: str | None, kind: str | None, text: str | None, label: str | None, config: str | None,
    models: tuple[str, ...],
) -> None:  # fmt: skip
    """Write a commented suite for SOURCE to standard output.

    SOURCE: a csv, tsv, jsonl or parquet file, a folder of images (a folder a class), or a data set's Hub id.
    TEST: a file to test on; without one a fifth of SOURCE is set aside.

    The kind of task is guessed from the columns; the suite says why, and what it could be besides.

    \b
    bench init reviews.csv > reviews.yaml
    bench init train.jsonl test.jsonl --kind translation --text en --label de > translation.yaml
    bench init stanfordnlp/sst2 --model distilbert/distilbert-base-uncased > sst2.yaml
    """
    from bench.planning.init import suite_for

    found = suite_for(source, test, kind=kind, text=text, label=label, models=models, config=config)
    click.echo(found, nl=False)
