"""One run of a suite from its lock on: the scheduler, its records, and the plan kept beside them."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.execution.executor import Executor, Slot
from bench.execution.interrupt import Interrupt
from bench.execution.scheduler import Progress, Scheduler
from bench.planning import trial_counts
from bench.planning.estimate import Estimator
from bench.planning.plan import Plan, build, replan
from bench.store import atomic, paths, records
from bench.store.record import Record
from bench.store.results_folder import Home
from bench.suite.schema import Suite
from bench.suite.trial import Json, Trial


@dataclass(frozen=True, repr=False)
class Outcome:
    """What a run did. executed: attempts made now; statuses: how they ended; plan: how the suite stands, and trials how
    many of its are in which of `trial_counts.STATES`."""

    folder: Path
    executed: int
    statuses: dict[str, int]
    plan: Plan
    trials: dict[str, int]

    @property
    def failed(self) -> int:
        """How many of the plan's trials ended without a result, or cannot have one."""
        return self.trials.get("failed", 0) + self.trials.get("again", 0)

    def __repr__(self) -> str:
        ended = ", ".join(f"{count} {status}" for status, count in sorted(self.statuses.items()))
        how = f" ({ended})" if ended else ""
        return f"<Outcome in {self.folder}: {self.executed} trials executed{how}; {self.failed} without a result>"


@dataclass
class Sweep:
    """lock: every name's meaning; before: the records that counted, by trial; narrow: keeps the cells that were asked
    for; estimator: knows how long trials take."""

    suite: Suite
    home: Home
    lock: Json
    before: dict[str, Record]
    narrow: Callable[[Plan], Plan]
    smoke: bool
    estimator: Estimator

    @property
    def folder(self) -> Path:
        """Where the suite's results lie."""
        return self.home.folder

    def nothing(self, plan: Plan) -> Outcome:
        """The outcome where nothing is missing."""
        self._write(self._plan(self.before, set()))
        return self._outcome(plan, {}, Counter())

    def execute(
        self, plan: Plan, latest: dict[str, Record], executor: Executor, slots: list[Slot], progress: Progress,
        interrupt: Interrupt,
    ) -> Outcome:  # fmt: skip
        """Run what `latest`, the records that are to count, leaves to run of what was asked for of a plan. Raises what
        `Scheduler.execute` raises."""
        shown = self._plan(self._all(latest), set())  # by the records that are to be repeated too

        def replanned(ended: Trial, tried: set[str]) -> Plan | None:
            nonlocal plan, shown
            shown = replan(shown, ended, self.lock, self._all(latest), tried, smoke=self.smoke)
            known, plan = plan, replan(plan, ended, self.lock, latest, tried, smoke=self.smoke)
            return None if plan is known else self.narrow(plan)

        name = secrets.token_hex(3)
        with records.Writer(self.folder, name, self.home) as writer:
            scheduler = Scheduler(
                plan=self.narrow(plan), replan=replanned, keep=lambda: self._write(shown), home=self.home,
                estimator=self.estimator, latest=latest, executor=executor, slots=slots, writer=writer,
                progress=progress, run=name, interrupt=interrupt,
                files={model: entry["files"] for model, entry in self.lock["models"].items()},
            )  # fmt: skip
            final = scheduler.execute()
        self._write(self._plan(self._all(latest), scheduler.tried))
        return self._outcome(final, latest, Counter(scheduler.ended))

    def _outcome(self, plan: Plan, latest: dict[str, Record], statuses: Counter[str]) -> Outcome:
        trials = trial_counts.total(plan.to_json()["cells"], self._all(latest))
        return Outcome(self.folder, statuses.total(), dict(statuses), plan, dict(trials))

    def _all(self, latest: dict[str, Record]) -> dict[str, Record]:
        """What counts for whoever reads the records: those of before too."""
        return records.latest([*self.before.values(), *latest.values()])

    def _plan(self, latest: dict[str, Record], tried: set[str]) -> Plan:
        return build(self.suite, self.lock, latest, tried, smoke=self.smoke)

    def _write(self, plan: Plan) -> None:
        """Keep a plan of the whole suite. Raises StoreError."""
        self.home.check()
        atomic.write_json(paths.plan(self.folder), {**plan.to_json(), "suite": self.folder.name})
