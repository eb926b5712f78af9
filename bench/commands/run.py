"""`bench run`: what is missing of a suite."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from bench.console import console as make_console
from bench.errors import EXIT_TRIALS_FAILED
from bench.options import JSON, ONLY, RESULTS, SMOKE, SUITE, YES


@click.command()
@SUITE
@RESULTS
@SMOKE
@ONLY
@YES
@click.option("--devices", default="", help="CUDA devices, as 0,1, or cpu. Default: all there are.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Trials at a time on the CPU.")
@click.option(
    "--threads",
    type=click.IntRange(1),
    help="Threads of each trial. Default: as in the results so far, else the cores shared out among the jobs.",
)
@click.option(
    "--rerun",
    type=click.Choice(["missing", "failed", "all"]),
    default="missing",
    show_default=True,
    help="What has no result of its own yet; that, and what failed; everything.",
)
@click.option(
    "--grace",
    type=click.FloatRange(0, 86_400),
    default=20,
    show_default=True,
    metavar="SECONDS",
    help="How long what runs may go on after Ctrl-C or SIGTERM; a second one stops it at once.",
)
@click.option(
    "--executor",
    default="local",
    show_default=True,
    metavar="NAME",
    help="Where trials run: local, a process each; inline, this process, for debugging; or another package's.",
)
@click.option(
    "--keep",
    type=click.Choice(["best"]),
    help="Then train the verdict's regime of each task and model once more, and keep the model for from_pretrained.",
)
@JSON
def command(
    suite: str, results: str, smoke: bool, only: tuple[str, ...], yes: bool, devices: str, jobs: int,
    threads: int | None, rerun: str, grace: float, executor: str, keep: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Run what is missing of SUITE.

    \b
    bench run suites/nlp.yaml
    bench run suites/nlp.yaml --smoke
    bench run suites/nlp.yaml --only task=sst2 --only regime=lora,full --devices 0,1
    bench run suites/nlp.yaml --rerun failed

    Exit code: 0 all is well, 1 some trials failed, 2 the suite or its data is wrong, 3 results cannot be written,
    130 interrupted.
    """
    from bench import api
    from bench.execution.progress import Lines, Live, tell
    from bench.planning import trial_counts

    console = make_console(stderr=as_json)
    views: list[Lines] = []

    def progress(slots: list[Any]) -> Lines:
        live = console.is_terminal and executor != "inline"  # a debugger needs the terminal for itself
        views.append(Live(console, slots) if live else Lines(console, len(slots)))
        return views[0]

    try:
        outcome = api.run(
            api.load_suite(suite), results, smoke=smoke, only=only, yes=yes, jobs=jobs, threads=threads, rerun=rerun,
            grace=max(0.0, grace), executor=executor, devices=[d for d in devices.split(",") if d], progress=progress,
            say=lambda text: tell(console, text),
        )  # fmt: skip
    finally:
        for view in views:
            view.close()
    used = [d for d in devices.split(",") if d]
    kept = [] if keep is None else api.keep(
        suite, results, smoke=smoke, devices=used, jobs=jobs, threads=threads, executor=executor,
        say=lambda text: tell(console, text),
    )  # fmt: skip
    statuses = ", ".join(f"{count} {status}" for status, count in sorted(outcome.statuses.items()))
    console.print(
        f"{outcome.executed} trials executed{': ' + statuses if statuses else ''}; records in {outcome.folder}",
        markup=False,
    )
    if as_json:
        found = {"results": str(outcome.folder), "executed": outcome.executed, "statuses": outcome.statuses}
        models = {} if keep is None else {"kept": [{**vars(one), "folder": str(one.folder)} for one in kept]}
        click.echo(json.dumps({**found, "trials": outcome.trials, **models}))
    again = "; --rerun failed tries again what has failed" if outcome.trials.get("failed") else ""
    console.print(f"{trial_counts.said(outcome.trials)}{again}", markup=False)
    for one in kept:
        library = "transformers" if one.load.startswith("transformers.") else "safetensors.torch"
        console.print(
            f"{one.task}, {one.model}: {one.regime}, {one.metric} {one.score:.3f} (recorded {one.recorded:.3f}); "
            f"import {library}; {one.load}",
            markup=False, soft_wrap=True,
        )  # fmt: skip
    sys.exit(EXIT_TRIALS_FAILED if outcome.failed else 0)
