"""One run of a suite from its lock on: the scheduler, its records, and the plan kept beside them."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.runner.devices import Slot
from bench.runner.interrupt import Interrupt
from bench.runner.account import GOOD
from bench.runner.plan import Plan, build
from bench.runner.scheduler import Progress, Scheduler
from bench.runner.server import Server
from bench.store import atomic, paths, records
from bench.store.bounds import Home
from bench.suite.schema import Suite
from bench.suite.trial import Json


@dataclass(frozen=True)
class Outcome:
    """What a run did. executed: attempts made now; statuses: how they ended; plan: how the suite stands; failed: how
    many of its trials have no result now."""

    folder: Path
    executed: int
    statuses: dict[str, int]
    plan: Plan
    failed: int


@dataclass
class Sweep:
    """lock: every name's meaning; before: the records that counted, by trial; narrow: keeps the cells that were asked
    for."""

    suite: Suite
    home: Home
    lock: Json
    before: dict[str, Json]
    narrow: Callable[[Plan], Plan]
    smoke: bool

    @property
    def folder(self) -> Path:
        """Where the suite's results lie."""
        return self.home.folder

    def nothing(self, plan: Plan) -> Outcome:
        """The outcome where nothing is missing."""
        self._keep({}, set())
        return Outcome(self.folder, 0, {}, plan, failures(plan, self.before))

    def execute(
        self, latest: dict[str, Json], server: Server, slots: list[Slot], progress: Progress, interrupt: Interrupt
    ) -> Outcome:
        """Run what `latest`, the records that are to count, leaves to run. Raises what `Scheduler.execute` raises."""
        kept: set[str] | None = None

        def replan(latest: dict[str, Json], tried: set[str]) -> Plan:
            nonlocal kept
            plan = self._plan(latest, tried)
            if kept != set(plan.trials()):
                kept = set(plan.trials())
                self._keep(latest, tried)
            return self.narrow(plan)

        name = secrets.token_hex(3)
        with records.Writer(self.folder, name, self.home) as writer:
            scheduler = Scheduler(
                replan=replan, latest=latest, server=server, slots=slots, writer=writer, progress=progress, run=name,
                home=self.home, files={model: entry["files"] for model, entry in self.lock["models"].items()},
                interrupt=interrupt,
            )  # fmt: skip
            final = scheduler.execute()
        self._keep(latest, scheduler.tried)
        statuses = Counter(scheduler.ended)
        return Outcome(self.folder, statuses.total(), dict(statuses), final, failures(final, self._all(latest)))

    def _all(self, latest: dict[str, Json]) -> dict[str, Json]:
        """What counts for whoever reads the records: those of before too."""
        return records.latest([*self.before.values(), *latest.values()])

    def _plan(self, latest: dict[str, Json], tried: set[str]) -> Plan:
        return build(self.suite, self.lock, latest, tried, smoke=self.smoke)

    def _keep(self, latest: dict[str, Json], tried: set[str]) -> None:
        """Keep the whole suite's plan, of records that are to be repeated too. Raises StoreError."""
        self.home.check()
        atomic.write_json(paths.plan(self.folder), self._plan(self._all(latest), tried).to_json())


def failures(plan: Plan, latest: dict[str, Json]) -> int:
    """How many of a plan's trials ended without a result, and cells that cannot have one."""
    bad = [t for t in plan.trials() if t in latest and latest[t]["status"] not in GOOD]
    return len(bad) + sum(cell.seeds for cell in plan.cells if cell.state == "failed")
