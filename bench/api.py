"""The same as the commands, from Python: load a suite, lock, plan, run, and read the records."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from bench import plugins
from bench.errors import UsageError, did_you_mean
from bench.planning import from_python as given
from bench.planning import lock as locks
from bench.planning.only import narrow
from bench.planning.plan import RERUN, Plan, build
from bench.store import cache, paths, records
from bench.store.hold import alone
from bench.suite.load import grid_size, load
from bench.suite.schema import Schemas, Suite
from bench.suite.trial import SCHEMA, Json

if TYPE_CHECKING:
    import pandas as pd

    from bench.analysis.check import Checked
    from bench.analysis.column import Column
    from bench.analysis.compare import Comparison
    from bench.analysis.pivot import Asked
    from bench.analysis.rescore import Rescoring
    from bench.analysis.verdict.costs import Prefer
    from bench.analysis.verdict.limits import Limits
    from bench.analysis.verdict.recommend import Recommendations
    from bench.audit.task import Audit
    from bench.execution.executor import Slot
    from bench.execution.keep_models import Kept
    from bench.execution.run_suite import Outcome
    from bench.execution.scheduler import Progress

MANY = 10_000
"""Suites of more trials than this are planned and run only when asked twice: a slip of a list is easily made."""
Say = Callable[[str], None]
SECTIONS = {"models": "model_sources", "tasks": "tasks", "regimes": "regimes", "data": "data_sources"}
"""Where the plugins are whose parameters stand in a section of a suite."""
Given: TypeAlias = Suite | str | Path | Mapping[str, Any]
"""A suite, its file, or a dict of the same keys."""
Place: TypeAlias = str | Path | Suite
"""Results: of a suite, or of its file, below `results`; or a folder, of one suite or of several."""


def schemas() -> Schemas:
    """What all installed plugins accept."""
    kinds = {
        section: {name: plugins.load(folder, name).Parameters for name in plugins.names(folder)}
        for section, folder in SECTIONS.items()
    }
    given = {name: plugins.load("tasks", name).OBJECTIVE for name in plugins.names("tasks")}
    gives = {name: plugins.load("objectives", objective).ANSWERS for name, objective in given.items()}
    takes = {name: plugins.load("metrics", name).TAKES for name in plugins.names("metrics")}
    modalities = {name: plugins.load("tasks", name).MODALITY for name in given}
    return Schemas(**kinds, gives=gives, metrics=takes, modalities=modalities)


def load_suite(suite: Given) -> Suite:
    """Read and check a suite's file, or a dict of the same keys. Raises SuiteError with every problem at once.

    In a dict a task's `data` may also be a pandas frame, or `{split: frame}`; relative paths are taken from the current
    folder.
    """
    if isinstance(suite, Suite):
        return suite
    if isinstance(suite, Mapping):
        return given.load(suite, schemas())
    return load(suite, schemas())


def folder_of(suite: Suite, results: str | Path = "results", *, smoke: bool = False) -> Path:
    """Where a suite's results lie. Raises StoreError where that is a link."""
    return paths.suite(Path(results), f"{suite.name}-smoke" if smoke else suite.name)


def place_of(place: Place, results: str | Path = "results", *, smoke: bool = False) -> Path:
    """The results folder that is meant: a suite's or its file's, else the folder itself.

    Raises SuiteError; UsageError where `smoke` is asked of a folder.
    """
    if isinstance(place, Suite):
        return folder_of(place, results, smoke=smoke)
    if Path(place).suffix.lower() in (".yaml", ".yml") and Path(place).is_file():
        return folder_of(load_suite(place), results, smoke=smoke)
    if smoke:
        raise UsageError(f"{place}: smoke goes with a suite; its results lie in a folder of their own, NAME-smoke")
    return Path(place)


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
    _refuse_odd_names(suite, folder)
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
    _refuse_odd_names(suite, folder)
    options = Options(Path(results), smoke, tuple(only), tuple(devices), threads, rerun, grace)
    with alone(folder) as home:
        return start(suite, home, executor, chosen, slots, options, progress, say)


def keep(
    suite: Given,
    results: str | Path = "results",
    *,
    smoke: bool = False,
    devices: Sequence[str] = (),
    jobs: int = 1,
    threads: int | None = None,
    executor: str = "local",
    say: Say = print,
) -> list[Kept]:
    """Keep one adapted model of each task and model of a suite that has run: that of the verdict's regime at the most
    labels, of the seed with the best validation score, trained once more; below `models` in the suite's results.

    Parameters as of `run`. What has no model to keep is said. Raises UsageError, StoreError.
    """
    from bench.analysis import frame
    from bench.analysis.best_trials import choose
    from bench.execution import executor as executors
    from bench.execution import keep_models, same_environment
    from bench.planning import installed

    installed.require()
    suite = load_suite(suite)
    chosen = executors.new(executor)
    slots = chosen.slots(devices, jobs)
    folder = folder_of(suite, results, smoke=smoke)
    with alone(folder) as home:
        (found,) = frame.load(home.folder)
        lock = locks.read(home.folder)
        latest = records.latest(found.records)
        slots, _ = same_environment.kept(slots, latest.values(), threads, chosen.environment)
        trials = build(suite, lock, latest, smoke=smoke).trials()
        wanted = keep_models.wanted(choose(found), trials, say)
        files = {name: entry["files"] for name, entry in lock["models"].items()}
        with chosen if keep_models.missing(wanted, home) else contextlib.nullcontext(chosen):
            return keep_models.keep(wanted, home, chosen, slots[0], files, say)


def audit(
    suite: Given,
    results: str | Path = "results",
    *,
    tasks: Sequence[str] = (),
    examples: int = 10_000,
    model: str | None = None,
    say: Say = print,
) -> list[Audit]:
    """Look at the data of a suite's tasks: suspicious labels, duplicates, overlap of train and test, balance, lengths.

    tasks: their names, none: all; examples: of a split, among which near duplicates and suspicious labels are looked
    for; model: by whose pooled features labels are judged; None: by words or pixels, without any model. What was found
    is kept as `audit.json` in the suite's results. Raises UsageError, DataError, StoreError.
    """
    from bench.audit.suite import audits
    from bench.planning import installed

    installed.require()
    suite = load_suite(suite)
    folder = folder_of(suite, results)
    _refuse_odd_names(suite, folder)
    with alone(folder) as home:
        return audits(suite, home, tasks, examples, model, say)


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

    return answers.collect(frame.load(place_of(results)), _wanted(only), also_test)


def rescore(results: Place, metric: str, only: Sequence[str] = ()) -> list[Rescoring]:
    """Score the predictions that are kept with another metric, or a corrected one, and keep that beside the records.

    only: as `--only`. Raises UsageError where nothing that is asked for can be scored by the metric; StoreError.
    """
    from bench.analysis import frame
    from bench.analysis.rescore import rescore as score_again

    return score_again(frame.load(place_of(results)), metric, _wanted(only))


def compare(a: Place, b: Place) -> list[Comparison]:
    """Each environment of A against each of B, cell by cell, paired where trials are the same; none are pooled.

    Raises UsageError where they have nothing in common; StoreError.
    """
    from bench.analysis import frame
    from bench.analysis.compare import compare as side_by_side

    return side_by_side(*(frame.load(place_of(place)) for place in (a, b)))


def export(results: Place, to: str, out: str | Path | None = None) -> list[Path]:
    """Bring results to another program, a registry or a paper; returns what was written. to: an export's name.

    out: where a folder of each suite's name is made; default: `exports/<to>` here, outside of the results, since some
    trackers leave links.
    Raises UsageError, also where the library that it needs is not installed; StoreError.
    """
    from importlib.util import find_spec

    from bench.analysis import frame

    plugin = plugins.load("exports", to)
    if plugin.MODULE and find_spec(plugin.MODULE) is None:
        raise UsageError(
            f"export to {to} needs {plugin.MODULE}, which is not installed: pip install 'retrain-bench[{plugin.EXTRA}]'"
        )
    written: list[Path] = []
    for found in frame.load(place_of(results)):
        target = Path(out or Path("exports", to)) / found.folder.resolve().name
        if paths.holds_results(target):
            raise UsageError(
                f"{target}: holds results, and no export is written among them; name another folder as --out"
            )
        written += plugin.export(found, target)
    return written


def _wanted(only: Sequence[str]) -> Callable[[Mapping[str, str]], bool]:
    """Whether the reported trials of an axis each, as text, are asked for. Raises UsageError."""
    from bench.planning.only import matches, parse

    filters = parse(only)

    def keep(axes: Mapping[str, str]) -> bool:
        return all(matches([axes[axis]], wanted) for axis, wanted in filters.items())

    return keep


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
    from bench.analysis.column import columns

    found = frame.load(place_of(results))
    return columns(found, frame.cells(found))


def _refuse_odd_names(suite: Suite, folder: Path) -> None:
    """Raises UsageError where what is to be read or written lies in a folder whose name is no text."""
    for what, place in (("the suite", suite.path.parent), ("results", folder), ("the cache", cache.root())):
        paths.openable(what, place)


def _refuse_many(suite: Suite, smoke: bool, yes: bool) -> None:
    """Count the grid without building it. Raises UsageError where it is large and nobody said that it is meant."""
    entries = sum(len(task.models) * len(task.regimes) for task in suite.tasks.values())
    size = 2 * entries if smoke else grid_size(suite)
    if size > MANY and not yes:
        raise UsageError(
            f"suite {suite.name}: up to {size:,} trials; add --yes (from Python: yes=True) if that is meant"
        )
