"""`bench recommend`: a verdict for a case of your own, from results."""

from __future__ import annotations

import json
import re

import click

from bench.console import console as make_console
from bench.options import JSON, PLACE, RESULTS

UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def memory(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """`16GiB`, `500 MB` or a number, in bytes. Raises BadParameter."""
    if value is None:
        return None
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", value, re.IGNORECASE)
    if found is None or not float(found[1]):
        raise click.BadParameter(f"'{value}' is no amount of memory; write 16GiB, 500MB or a number of bytes")
    base = 1024 if found[3] else 1000
    return float(found[1]) * float(base ** UNITS[found[2].lower()])


@click.command()
@PLACE
@RESULTS
@click.option("--size", type=click.FloatRange(1), required=True, help="How many labels you have, validation included.")
@click.option("--task", metavar="NAME", help="Only this task of the results. Default: each.")
@click.option("--model", metavar="NAME", help="Only this model. Default: each.")
@click.option(
    "--noise",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="The fraction of labels that are wrong.",
)
@click.option("--max-memory", callback=memory, metavar="BYTES", help="The most memory at the peak, as 16GiB.")
@click.option("--max-train-minutes", type=click.FloatRange(0, min_open=True), help="The most time, tuning included.")
@click.option(
    "--prefer",
    type=click.Choice(["train-time", "memory", "stored", "inference", "total"]),
    default="train-time",
    show_default=True,
    help="Of what is enough, which cost is to be lowest.",
)
@JSON
def command(
    place: str, results: str, size: float, task: str | None, model: str | None, noise: float, max_memory: float | None,
    max_train_minutes: float | None, prefer: str, as_json: bool,
) -> None:  # fmt: skip
    """Say which regime is enough for a number of labels, from RESULTS, which need not hold that number.

    Between the sizes that were run scores and costs are interpolated; nothing is said beyond twice the largest.

    \b
    bench recommend results/nlp --size 500
    bench recommend results/nlp --task sst2 --size 500 --noise 0.1 --max-memory 16GiB --max-train-minutes 30
    bench recommend results/nlp --size 500 --prefer inference --json
    """
    from rich.text import Text

    from bench import api
    from bench.printable import printable
    from bench.report import verdict_rows, verdicts

    given = api.recommend(
        api.place_of(place, results), size, task=task, model=model, noise=noise, prefer=prefer, max_memory=max_memory,
        max_train_minutes=max_train_minutes,
    )  # fmt: skip
    if as_json:
        rows = [
            {**verdict_rows.to_json(one.verdict), "sizes_run": list(one.run), "extrapolated": one.outside}
            for one in given.found
        ]
        click.echo(json.dumps({"recommendations": rows, "cannot": given.cannot}, indent=2, ensure_ascii=False))
        return
    console = make_console()
    for one in given.found:
        console.print(Text(printable(verdicts.sentence(one.verdict)), style="bold"), soft_wrap=True)
        for line in verdicts.reasons(one):
            console.print(Text(f"  {printable(line)}"), soft_wrap=True)
    for line in given.cannot:
        console.print(Text(printable(f"Nothing can be said: {line}")), soft_wrap=True)
