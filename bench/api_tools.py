"""What may be asked of results and data beside running and reporting; `bench.api` has it all."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench import plugins
from bench.api_places import Given, Place, Say, folder_of, load_suite, place_of, refuse_odd_names, wanted
from bench.errors import UsageError
from bench.planning import lock as locks
from bench.planning.plan import build
from bench.store import paths, records
from bench.store.hold import alone

if TYPE_CHECKING:
    from bench.analysis.compare import Comparison
    from bench.analysis.rescore import Rescoring
    from bench.audit.task import Audit
    from bench.execution.keep_models import Kept


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
        models = keep_models.wanted(choose(found), trials, say)
        files = {name: entry["files"] for name, entry in lock["models"].items()}
        with chosen if keep_models.missing(models, home) else contextlib.nullcontext(chosen):
            return keep_models.keep(models, home, chosen, slots[0], files, say)


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
    refuse_odd_names(suite, folder)
    with alone(folder) as home:
        return audits(suite, home, tasks, examples, model, say)


def rescore(results: Place, metric: str, only: Sequence[str] = ()) -> list[Rescoring]:
    """Score the predictions that are kept with another metric, or a corrected one, and keep that beside the records.

    only: as `--only`. Raises UsageError where nothing that is asked for can be scored by the metric; StoreError.
    """
    from bench.analysis import frame
    from bench.analysis.rescore import rescore as score_again

    return score_again(frame.load(place_of(results)), metric, wanted(only))


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
