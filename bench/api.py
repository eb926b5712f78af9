"""The same as the commands, from Python: load a suite, lock, plan, run, and read the records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.api_places import Given as Given
from bench.api_places import Place as Place
from bench.api_places import Say, refuse_odd_names, wanted
from bench.api_places import folder_of as folder_of
from bench.api_places import load_suite as load_suite
from bench.api_places import place_of as place_of
from bench.api_places import schemas as schemas
from bench.api_tools import audit as audit
from bench.api_tools import compare as compare
from bench.api_tools import export as export
from bench.api_tools import keep as keep
from bench.api_tools import rescore as rescore
from bench.errors import UsageError, did_you_mean
from bench.planning import lock as locks
from bench.planning.only import narrow
from bench.planning.plan import RERUN, Plan, build
from bench.store import paths, records
from bench.store.hold import alone
from bench.suite.load import grid_size
from bench.suite.schema import Suite
from bench.suite.trial import SCHEMA, Json

if TYPE_CHECKING:
    import pandas as pd

    from bench.analysis.check import Checked
    from bench.analysis.column import Column
    from bench.analysis.pivot import Asked
    from bench.analysis.verdict.costs import Prefer
    from bench.analysis.verdict.limits import Limits
    from bench.analysis.verdict.recommend import Recommendations
    from bench.execution.executor import Slot
    from bench.execution.run_suite import Outcome
    from bench.execution.scheduler import Progress

MANY = 10_000
"""Suites of more trials than this are planned and run only when asked twice: a slip of a list is easily made."""


def plan(
    suite: Given, results: str | Path = "results", *, smoke: bool = False, only: Sequence[str] = (), yes: bool = False
) -> Plan:
    """What would run, from the suite, its lock and the records so far; no network, no torch.

    Raises UsageError for a grid of more than MANY trials, unless `yes`.
    """
    suite = load_suite(suite)
    _refuse_many(suite, smoke, yes)
    folder = folder_of(suite, results, smoke=smoke)
    latest = records.latest(records.read(folder).records)
    return narrow(build(suite, locks.read(folder), latest, smoke=smoke), only)


def lock(
    suite: Given, results: str | Path = "results", *, update: bool = False, smoke: bool = False, say: Say = print
) -> Json:
    """Resolve every name of the suite that is not locked yet (all of them with `update`), and bring it here.

    Raises ModelError, DataError, HubError, StoreError.
    """
    from bench.execution import executor as executors
    from bench.execution.start_suite import resolve
    from bench.planning import installed

    installed.require()
    suite = load_suite(suite)
    folder = folder_of(suite, results, smoke=smoke)
    refuse_odd_names(suite, folder)
    with alone(folder) as home, executors.new("local") as local:
        found = {"schema": SCHEMA, **{section: {} for section in locks.SECTIONS}} if update else locks.read(folder)
        return resolve(suite, home, found, local, lambda section, name: True, say)


def run(
    suite: Given,
    results: str | Path = "results",
    *,
    smoke: bool = False,
    only: Sequence[str] = (),
    yes: bool = False,
    devices: Sequence[str] = (),
    jobs: int = 1,
    threads: int | None = None,
    rerun: str = "missing",
    grace: float = 20.0,
    executor: str = "local",
    progress: Callable[[list[Slot]], Progress] | None = None,
    say: Say = print,
) -> Outcome:
    """Run what is missing of a suite. A trial's failure is its record.

    threads: of each trial; default: as in the results so far, else the cores are shared out among `jobs`.
    rerun: `missing`, `failed` (what failed as well) or `all`; grace: seconds that what runs is given after Ctrl-C;
    yes: also where the grid has more than MANY trials; executor: where trials run, each in a process of its own
    (`local`) or in this one (`inline`, which a debugger can follow).
    Raises UsageError, StoreError, and BenchError where trials cannot be run at all; KeyboardInterrupt after Ctrl-C.
    """
    from bench.execution import executor as executors
    from bench.execution.start_suite import Options, start
    from bench.planning import installed

    if rerun not in RERUN:
        raise UsageError(f"rerun: '{rerun}' is none of {', '.join(RERUN)}")
    suite = load_suite(suite)
    _refuse_many(suite, smoke, yes)
    installed.require()
    chosen = executors.new(executor)
    slots = chosen.slots(devices, jobs)
    folder = folder_of(suite, results, smoke=smoke)
    refuse_odd_names(suite, folder)
    options = Options(Path(results), smoke, tuple(only), tuple(devices), threads, rerun, grace)
    with alone(folder) as home:
        return start(suite, home, executor, chosen, slots, options, progress, say)


def cells(results: Place) -> pd.DataFrame:
    """The tidy frame that every table and figure is made from: a row per cell."""
    from bench.analysis import frame

    return frame.cells(frame.load(place_of(results)))


def attempts(results: Place) -> pd.DataFrame:
    """Every record as a row, nested keys joined by dots (`scores.test.accuracy`)."""
    import pandas as pd

    from bench.analysis import frame

    rows = [{**record} for found in frame.load(place_of(results)) for record in found.records]
    # baselines stand beside the trial's own scores, as they always did here
    found = pd.json_normalize(rows)
    found.columns = pd.Index([name.replace("scores.baselines.", "scores.") for name in found.columns])
    return found


def predictions(results: Place, only: Sequence[str] = (), *, also_test: str = "") -> pd.DataFrame:
    """What models answered: a row for every test example, template and seed of every trial that has a score.

    Columns: suite, task, model, regime, size, noise, seed, environment; example (its number among those tested),
    row (where it stands, from 0, in the split of the data that it comes from, which is that of train where `test` is a
    fraction of it; older records do not say), template, outcome (what the metric makes of it, where it is a mean over
    examples); what is right (`label`, `labels`, `tags`, `value` or `references`) and `answer`; further ones by the kind
    of task. only: as `--only`; also_test: an
    also_test set of the task, in place of the test split. Raises UsageError, StoreError.
    """
    from bench.analysis import frame
    from bench.analysis import predictions as answers

    return answers.collect(frame.load(place_of(results)), wanted(only), also_test)


def check(results: Place) -> list[Checked]:
    """Read every record and artifact of the suites below (or at) a folder, and say what is wrong.

    Raises UsageError where there is none, StoreError where one cannot be read or is a newer version's.
    """
    from bench.analysis.check import check as check_one

    return [check_one(folder) for folder in paths.suites(place_of(results))]


def report(results: Place, out: str | Path | None = None, *, asked: Asked | None = None) -> list[Path]:
    """Write tables and figures; returns the files. Default: a folder `report` in each suite's results.

    out: where a folder of each suite's name is made instead; asked: `bench.analysis.pivot.Asked`, a table of one's own
    that opens the report. Raises UsageError where `out` holds results, or nothing is asked for that there is.
    """
    from bench import report as reports

    written = reports.report(place_of(results), Path(out) if out else None, asked)
    return [file for _, files in written for file in files]


def verdicts(
    results: Place,
    *,
    prefer: str = "train-time",
    max_memory: float | None = None,
    max_train_minutes: float | None = None,
) -> pd.DataFrame:
    """A row per task, model, size, noise rate and environment: the cheapest regime that is shown to be enough, or what
    is open, as in `verdicts.csv`, with names and scores as lists and dicts.

    prefer: which cost is to be low (`train-time`, `memory`, `stored`, `inference`, `total`); max_memory: bytes at the
    peak; max_train_minutes: of training and tuning. Raises UsageError, StoreError.
    """
    import pandas as pd

    from bench.analysis.verdict.decision import decide
    from bench.report.verdict_rows import COLUMNS, to_json

    asked, limits = _asked(prefer, max_memory, max_train_minutes)
    found = [decide(column, asked, limits) for column in _columns(results)]
    return pd.DataFrame([to_json(one) for one in found], columns=COLUMNS)


def recommend(
    results: Place,
    size: float,
    *,
    task: str | None = None,
    model: str | None = None,
    noise: float = 0.0,
    prefer: str = "train-time",
    max_memory: float | None = None,
    max_train_minutes: float | None = None,
) -> Recommendations:
    """The verdict for a number of labels that need not have been run, of each task, model and environment there is, or
    of those named; where what was run says nothing of such a case, why. The other arguments are those of `verdicts`.

    Raises UsageError where a name is unknown, or where nothing at all can be said; StoreError.
    """
    from bench.analysis.verdict.recommend import recommend_each

    if not 1 <= size < float("inf"):
        raise UsageError(f"size {size:g}: a number of labels is 1 or more")
    asked, limits = _asked(prefer, max_memory, max_train_minutes)
    known = _columns(results)
    for what, name in (("task", task), ("model", model)):
        names = {str(getattr(one, what)) for one in known}
        if name is not None and name not in names:
            raise UsageError(f"{what} '{name}': there is no score of such a one{did_you_mean(name, names)}")
    wanted = [one for one in known if task in (None, one.task) and model in (None, one.model)]
    if not known:
        raise UsageError(f"{results}: nothing has a score yet; `bench run` brings some")
    if not wanted:
        raise UsageError(f"task '{task}' has no score with model '{model}'")
    return recommend_each(wanted, size, noise, asked, limits)


def _asked(prefer: str, max_memory: float | None, max_train_minutes: float | None) -> tuple[Prefer, Limits]:
    """Raises UsageError where that is no cost or no limit."""
    from bench.analysis.verdict.costs import PREFER
    from bench.analysis.verdict.limits import Limits

    asked = next((one for one in PREFER if one == prefer), None)
    if asked is None:
        raise UsageError(f"prefer: '{prefer}' is none of {', '.join(PREFER)}")
    for what, value in (("max_memory", max_memory), ("max_train_minutes", max_train_minutes)):
        if value is not None and not value > 0:
            raise UsageError(f"{what}: {value:g} is no limit; it is above 0")
    return asked, Limits(max_memory, None if max_train_minutes is None else 60 * max_train_minutes)


def _columns(results: Place) -> list[Column]:
    from bench.analysis import frame

    return frame.columns(frame.load(place_of(results)))


def _refuse_many(suite: Suite, smoke: bool, yes: bool) -> None:
    """Count the grid without building it. Raises UsageError where it is large and nobody said that it is meant."""
    entries = sum(len(task.models) * len(task.regimes) for task in suite.tasks.values())
    size = 2 * entries if smoke else grid_size(suite)
    if size > MANY and not yes:
        raise UsageError(
            f"suite {suite.name}: up to {size:,} trials; add --yes (from Python: yes=True) if that is meant"
        )
