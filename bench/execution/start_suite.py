"""From a suite to its running trials: resolve what is not locked, plan, say what is to come, and start."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from bench.errors import UsageError
from bench.execution import same_environment
from bench.execution.executor import Executor, Slot
from bench.execution.interrupt import Interrupt
from bench.execution.progress import Lines
from bench.execution.run_suite import Outcome, Sweep
from bench.execution.scheduler import Progress
from bench.planning import data_lines, trial_counts
from bench.planning import lock as locks
from bench.planning.estimate import forecast
from bench.planning.only import narrow
from bench.planning.plan import Plan, build, counted, settled
from bench.planning.summary import estimator, reasons
from bench.printable import printable
from bench.store import records
from bench.store.results_folder import Home
from bench.suite.schema import Suite
from bench.suite.trial import Json, Trial

NOT_ISOLATED = (
    "executor {}: trials run in this process; a crash ends the run, and `timeout` and `hung` are not enforced"
)
Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """How to run, as `bench.api.run` says it."""

    results: Path
    smoke: bool
    only: tuple[str, ...]
    devices: tuple[str, ...]
    threads: int | None
    rerun: str
    grace: float


def start(
    suite: Suite, home: Home, name: str, executor: Executor, slots: list[Slot], options: Options,
    progress: Callable[[list[Slot]], Progress] | None, say: Say,
) -> Outcome:  # fmt: skip
    """Run what is missing of a suite whose results folder is held. name: the executor's."""
    smoke, asked = options.smoke, functools.partial(narrow, only=options.only)
    with contextlib.ExitStack() as stack:

        @functools.cache
        def running() -> Executor:
            started = stack.enter_context(executor)
            started.check(options.devices, slots)
            return started

        lock = locks.read(home.folder)
        before = records.latest(records.read(home.folder).records)
        latest = counted(before, options.rerun)
        asked(build(suite, lock, latest, smoke=smoke))  # a mistake in it shows before anything is downloaded
        locks.verify(suite, lock)
        new = {(section, entry) for section, entry, locked, _ in locks.orders(suite, lock) if not locked}
        if new:
            lock = resolve(suite, home, lock, running(), lambda section, entry: False, say)
        whole = build(suite, lock, latest, smoke=smoke)
        first = asked(whole)
        _refuse_nothing(first)
        slots, threads_kept = same_environment.kept(slots, before.values(), options.threads, executor.environment)
        again, changed = same_environment.begun_elsewhere(first, latest, slots[0], executor.environment)
        latest = {trial: record for trial, record in latest.items() if trial not in again}
        known = estimator(suite.name, options.results, before.values(), smoke=smoke)
        sweep = Sweep(suite, home, lock, before, asked, smoke, known)
        missing = [t for t in first.trials().values() if not settled(t, latest, frozenset())]
        waiting = {("tasks", cell.names.task) for cell in first.cells if cell.state == "waiting"}
        if not missing and not waiting:
            return sweep.nothing(first)
        counts = trial_counts.said(trial_counts.total(first.to_json()["cells"], latest))
        not_isolated = None if executor.ISOLATED else NOT_ISOLATED.format(name)
        to_come = f"{counts}; {forecast(first, latest, known, len(slots))}"
        for sentence in filter(None, (not_isolated, threads_kept, changed, to_come)):
            say(sentence)
        used = (
            loaded_by(missing) | waiting
        ) - new  # what is not at hand comes here now, not while a trial's clock runs
        sweep.lock = resolve(suite, home, lock, running(), lambda *entry: entry in used, lambda line: None)
        shown = progress(slots) if progress else Lines(Console(), len(slots))
        return sweep.execute(whole, latest, running(), slots, shown, Interrupt(options.grace))


def resolve(
    suite: Suite, home: Home, lock: Json, executor: Executor, wanted: Callable[[str, str], bool], say: Say
) -> Json:
    """Have the executor resolve and download what is not locked, and bring here what is wanted although it is."""
    for section, name, locked, order in list(locks.orders(suite, lock)):
        if locked and not wanted(section, name):
            continue
        if not locked:
            say(f"{section[:-1]} {name}: resolving")
        entry = executor.call(order)
        if not locked:
            lock[section][name] = {"request": order["request"], **order["revisions"], **entry}
            home.check()
            locks.write(home.folder, lock)
        if "summary" in entry:
            for line in data_lines.lines(name, suite.tasks[name], entry["summary"]):
                say(printable(line))
    return lock


def loaded_by(trials: Sequence[Trial]) -> set[tuple[str, str]]:
    """The models and tasks that trials load, by the lock's sections."""
    tasks = {name for t in trials for name in (t.names.task, *t.regime.get("forgetting", ()))}
    tasks |= {t.locations["after"]["name"] for t in trials if "after" in t.locations}
    return {("models", t.names.model) for t in trials} | {("tasks", name) for name in tasks}


def _refuse_nothing(plan: Plan) -> None:
    """Raise UsageError with the reasons where no cell applies."""
    if all(cell.state == "not_applicable" for cell in plan.cells):
        why = "\n".join(f"  {reason}" for reason in reasons(plan.cells))
        raise UsageError(f"suite {plan.suite.name}: nothing of it applies, so nothing was run\n{why}")
