"""The commands: thin callers of `bench.api`. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import io
import json
import signal
import sys
from pathlib import Path
from typing import Any

import click

from bench import plugins
from bench.command_group import Commands
from bench.command_group import console as make_console
from bench.errors import EXIT_TRIALS_FAILED

RESULTS = click.option(
    "--results", type=click.Path(file_okay=False), default="results", show_default=True, help="Where results lie."
)
SMOKE = click.option("--smoke", is_flag=True, help="Every model × task × regime once, a handful of examples and steps.")
ONLY = click.option(
    "--only",
    multiple=True,
    metavar="AXIS=VALUE",
    help="Only what matches: model, task, regime, size=64,256, noise, seed=0, or purpose=tuning.",
)
YES = click.option("--yes", is_flag=True, help="Go on although there are more than 10,000 trials.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
SUITE = click.argument("suite", type=click.Path())
PLACE = click.argument("place", metavar="RESULTS", type=click.Path())
SMOKE_RESULTS = click.option("--smoke", is_flag=True, help="Of a suite: what its smoke run left.")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="retrain-bench", prog_name="bench")
def main() -> None:
    """Must this pretrained model be trained again for your task, and how?

    \b
    bench init reviews.csv > reviews.yaml   a commented suite to start from
    bench plan reviews.yaml                 what would run
    bench run reviews.yaml --smoke          everything once, in minutes
    bench run reviews.yaml                  the experiment; run again to go on
    bench report results/                   tables and figures

    Shell completion: eval "$(_BENCH_COMPLETE=bash_source bench)" (or zsh_source, fish_source).
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a cluster's way of saying Ctrl-C
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # a terminal's that is closed; nohup has it ignored
        signal.signal(signal.SIGHUP, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # names may hold what the terminal's encoding does not


@main.command()
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
@JSON
def run(
    suite: str, results: str, smoke: bool, only: tuple[str, ...], yes: bool, devices: str, jobs: int,
    threads: int | None, rerun: str, grace: float, executor: str, as_json: bool,
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
    statuses = ", ".join(f"{count} {status}" for status, count in sorted(outcome.statuses.items()))
    console.print(
        f"{outcome.executed} trials executed{': ' + statuses if statuses else ''}; records in {outcome.folder}",
        markup=False,
    )
    if as_json:
        found = {"results": str(outcome.folder), "executed": outcome.executed, "statuses": outcome.statuses}
        click.echo(json.dumps({**found, "trials": outcome.trials}))
    again = "; --rerun failed tries again what has failed" if outcome.trials.get("failed") else ""
    console.print(f"{trial_counts.said(outcome.trials)}{again}", markup=False)
    sys.exit(EXIT_TRIALS_FAILED if outcome.failed else 0)


@main.command()
@PLACE
@RESULTS
@SMOKE_RESULTS
@click.option("--out", type=click.Path(file_okay=False), help="Default: a folder `report` in each suite's results.")
def report(place: str, results: str, smoke: bool, out: str | None) -> None:
    """Write tables and figures from RESULTS, and print the tables.

    RESULTS: one suite's folder of results, a folder of them, or the suite's file.

    \b
    bench report results/
    bench report suites/nlp.yaml
    bench report results/nlp --out paper/tables
    """
    from rich.text import Text

    from bench import api
    from bench.analysis import frame
    from bench.printable import printable
    from bench.report.terminal import print_report

    folder = api.place_of(place, results, smoke=smoke)
    files = api.report(folder, out)
    console = make_console()
    print_report(frame.load(folder), console)
    for file in files:
        console.print(Text(printable(file), style="dim"), soft_wrap=True)


@main.command()
@SUITE
@RESULTS
@click.option("--update", is_flag=True, help="Resolve everything anew: new commits, changed files.")
def lock(suite: str, results: str, update: bool) -> None:
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


@main.command()
@SUITE
@RESULTS
@SMOKE
@ONLY
@YES
@JSON
def plan(suite: str, results: str, smoke: bool, only: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Show what would run of SUITE, without a network and without torch.

    \b
    bench plan suites/nlp.yaml
    bench plan suites/nlp.yaml --only task=sst2 --json
    """
    from bench import api
    from bench.planning.summary import summarise
    from bench.planning.trial_counts import STATES

    found = api.plan(api.load_suite(suite), results, smoke=smoke, only=only, yes=yes)
    summary = summarise(found, Path(results), smoke)
    if as_json:
        click.echo(json.dumps(summary, indent=2))
        return
    from rich.text import Text

    from bench.report.table import Table, cells
    from bench.report.terminal_table import grids

    console = make_console()
    console.print(Text(f"suite {summary['suite']}"))
    counted = [(axis, value, of) for axis, values in summary["axes"].items() for value, of in values.items()]
    rows = [cells(f"{axis} {value}", *(of[state] for state in STATES)) for axis, value, of in counted]
    whole = cells("all", *(summary["trials"][state] for state in STATES))
    for part in grids(Table("", ["", *STATES], "l" + "r" * len(STATES), rows, [whole]), console.width):
        console.print(part)
    for line in summary["notes"]:
        console.print(Text(line), soft_wrap=True)


@main.command()
@PLACE
@RESULTS
@SMOKE_RESULTS
@JSON
def status(place: str, results: str, smoke: bool, as_json: bool) -> None:
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


@main.command()
@PLACE
@RESULTS
@SMOKE_RESULTS
@JSON
def check(place: str, results: str, smoke: bool, as_json: bool) -> None:
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


@main.command(name="list")
@click.argument("kind", required=False, type=click.Choice([folder.replace("_", "-") for folder in plugins.LISTED]))
@JSON
def list_(kind: str | None, as_json: bool) -> None:
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


@main.command()
@click.argument("source")
@click.argument("test", required=False)
@click.option("--kind", help="The kind of task (see `bench list tasks`); default: guessed from the columns.")
@click.option("--text", help="The column that is read; default: by its name, else that with the longest values.")
@click.option("--label", help="The column that is to be told; default: by its name, else that with the fewest values.")
@click.option("--config", help="Which configuration of a data set on the Hub.")
@click.option("--model", "models", multiple=True, help="A Hub id or local folder; may repeat.")
def init(
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


@main.command()
@click.argument("kind", type=click.Choice([*plugins.SINGULAR]))
@click.argument("name")
@click.option("--folder", type=click.Path(path_type=Path), default=Path(), help="Where to write it; default: here.")
def new(kind: str, name: str, folder: Path) -> None:
    """Write a plugin's file that works as it is, to be changed into what is wanted.

    \b
    bench new metric top-two
    bench new regime my-way --folder src/my_package
    """
    from bench.planning import new_plugin

    path = new_plugin.write(kind, name, folder)
    click.echo(f"wrote {path}\n\n{new_plugin.next_steps(kind, name, path)}")
