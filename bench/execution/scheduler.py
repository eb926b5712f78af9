"""Runs what is missing, one cell after another to its score, one trial a slot, until nothing is left."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Protocol, cast

from bench.errors import BenchError, StoreError
from bench.execution.executor import Ended, Event, Executor, Progressed, Slot, Started
from bench.execution.interrupt import Interrupt
from bench.execution.progress import describe
from bench.planning.estimate import Estimator
from bench.planning.order import Place, queue, turns
from bench.planning.plan import Cell, Plan, settled
from bench.planning.trial_counts import INFRASTRUCTURE
from bench.redact import redact_all
from bench.store import hold
from bench.store.record import Record
from bench.store.records import Writer
from bench.store.results_folder import Home
from bench.suite.trial import Json, Trial, canonical

WAIT = 0.5
"""Seconds the parent sleeps at most between two looks at its clocks."""
DUMP_SECONDS = 1.0
"""What a trial is given to print its stack before it is killed."""
MOST = 4000
"""Characters of a cause that are kept in a record."""
PATIENCE = 3.0
"""Seconds an executor is given to say that what was interrupted has ended."""


class Progress(Protocol):
    """Shows how the run goes."""

    def planned(self, total: int, finished: int, left: float | None) -> None:
        """How many trials there are, and settled; tuning may add some. The seconds left, if known."""

    def started(self, slot: Slot, trial: Trial) -> None:
        """A trial begins."""

    def moved(self, slot: Slot, stage: str, done: int, total: int | None) -> None:
        """A trial shows a sign of life."""

    def ended(self, slot: Slot, trial: Trial, record: Record) -> None:
        """A trial's record is on disk."""

    def complete(self, cell: Cell, records: Sequence[Record]) -> None:
        """A cell will not change any more: its seeds' records."""

    def note(self, text: str) -> None:
        """Something the user should know."""


@dataclass
class Running:
    """A trial on a slot. alive: its last sign of life, None until its process has started; kill_reason: (status,
    cause) where it is to be killed, from kill_from on."""

    trial: Trial
    slot: Slot
    attempt: str
    started: str
    begun: float = field(default_factory=time.monotonic)
    alive: float | None = None
    kill_reason: tuple[str, str] | None = None
    kill_from: float = 0.0


@dataclass
class Scheduler:
    """One run of a suite. replan: (a trial that has ended, what is not to be tried again) → the plan as it
    now stands, None where it is the same; keep: puts that on the disk; ended: each attempt's status."""

    plan: Plan
    replan: Callable[[Trial, set[str]], Plan | None]
    keep: Callable[[], None]
    estimator: Estimator
    latest: dict[str, Record]
    executor: Executor
    slots: list[Slot]
    writer: Writer
    progress: Progress
    run: str
    home: Home
    files: dict[str, Json]
    interrupt: Interrupt = field(default_factory=Interrupt)
    tried: set[str] = field(default_factory=set)
    running: dict[str, Running] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    _turns: dict[Place, int] = field(init=False)
    _missing: list[Trial] = field(init=False)
    _cells: dict[str, list[Cell]] = field(init=False)
    _known: int = 0
    _left: float | None = None
    _told: float | None = 0.0
    _again: set[str] = field(default_factory=set)
    _lost: dict[Slot, str] = field(default_factory=dict)
    _attempts: int = 0
    _watched: float = field(default_factory=time.monotonic)

    def execute(self) -> Plan:
        """Run until nothing is missing; returns the last plan. Every record is on disk before the next trial starts.

        Raises KeyboardInterrupt when it was asked to stop, StoreError when records or artifacts cannot be written, and
        BenchError when no device is left.
        """
        with self.interrupt.heeded():
            self._turns = turns(self.plan, self.latest, self.estimator)
            self._look()
            self.keep()
            warned = False
            while self.running or (self._missing and not self.interrupt.asked):
                if self.interrupt.asked and not warned:
                    warned = True
                    self.progress.note(f"stopping: {self.interrupt.grace:g} s for what runs; once more stops it now")
                if not self.interrupt.asked:
                    self._fill()
                for event in self.executor.events(WAIT):
                    self._handle(event)
                self._watch()
                self._tell()
                if self.interrupt.over_for > PATIENCE:  # it hangs, or is only starting: no event will come
                    for order, running in list(self.running.items()):
                        self._end(self.executor.abandon(order), running)
        if self.interrupt.asked:
            raise KeyboardInterrupt
        return self.plan

    def _look(self) -> None:
        """See what the plan leaves to run, in the order of the cells' turns."""
        flying = {r.trial.id for r in self.running.values()}
        trials = queue(self.plan.cells, self._turns).values()
        self._missing = [t for t in trials if t.id not in flying and not settled(t, self.latest, self.tried)]
        self._cells = defaultdict(list)
        for cell in self.plan.cells:
            for trial in cell.reported if cell.state != "waiting" else ():
                self._cells[trial.id].append(cell)
        self._known = len(trials)
        self._count()

    def _count(self) -> None:
        finished = self._known - len(self._missing) - len(self.running)
        self._left = None
        if self.estimator.covers(self._missing):
            now = time.monotonic()
            expected = ((r, self.estimator.seconds(r.trial)) for r in self.running.values())
            under_way = sum(max(0.0, seconds - (now - running.begun)) for running, seconds in expected)
            self._left = (self.estimator.left(self._missing) + under_way) / len(self.slots)
        self.progress.planned(self._known, finished, self._left)

    def _tell(self) -> None:
        """Write down what runs, for `bench status`; at most once in WAIT seconds."""
        now = time.monotonic()
        if self._told is None or now - self._told < WAIT:
            return
        self._told = None
        known = self.estimator.known
        hold.tell(self.home, {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "left": self._left,
            "running": [
                {"trial": describe(r.trial), "slot": r.slot.name, "since": r.started,
                 "seconds": self.estimator.seconds(r.trial) if known else None}
                for r in self.running.values()
            ],
        })  # fmt: skip

    def _fill(self) -> None:
        """Start what is missing wherever there is room."""
        busy = {r.slot for r in self.running.values()}
        usable = [slot for slot in self.slots if slot not in self._lost]
        if self._missing and not usable:
            causes = "; ".join(f"{slot.name}: {self._lost[slot]}" for slot in self.slots)
            raise BenchError(f"no device is left ({causes}); what had finished is kept, running again goes on")
        for slot in usable:
            if slot not in busy and self._missing:
                self._start(slot, self._missing.pop(0))

    def _start(self, slot: Slot, trial: Trial) -> None:
        self.home.check()
        self._attempts += 1
        attempt = f"{self.run}-{self._attempts:05d}"
        order = {
            "do": "trial", "trial": trial.to_json(), "attempt": attempt, "results": str(self.home.folder),
            "home": [self.home.device, self.home.inode],
            "files": self.files[trial.names.model], "checkpoint": self.plan.suite.checkpoint,
        }  # fmt: skip
        name = self.executor.submit(order, slot)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.running[name] = Running(trial, slot, attempt, now)
        self._told = self._told or time.monotonic()
        self.progress.started(slot, trial)

    def _handle(self, event: Event) -> None:
        running = self.running.get(event.order)
        if running is None:
            return
        if isinstance(event, Started):
            running.begun = running.alive = time.monotonic()
        elif isinstance(event, Progressed):
            running.alive = time.monotonic()
            self.progress.moved(running.slot, event.stage, event.done, event.total)
        else:
            self._end(event, running)

    def _end(self, event: Ended, running: Running) -> None:
        found = self._found(event, running)
        record = self._record(found, running, None if found["status"] == "ok" else event.log)
        self.writer.append(record)
        del self.running[event.order]
        self.ended.append(record["status"])
        before = self.plan
        self._settle(running.trial, record)
        self.progress.ended(running.slot, running.trial, record)
        self._complete(running.trial, before)
        if self.plan is not before:
            if not self.interrupt.asked:
                self._fill()  # before the disk is waited for
            self.keep()

    def _settle(self, trial: Trial, record: Record) -> None:
        """Count a record. What failed for reasons outside the trial is tried once more."""
        self.latest[trial.id] = record
        self.estimator.learn(record)
        self._told = self._told or time.monotonic()
        if record["status"] in INFRASTRUCTURE and trial.id not in self._again:
            self._again.add(trial.id)
            self._look()
            return
        self.tried.add(trial.id)
        plan = self.replan(trial, self.tried)
        if plan is not None:
            self.plan = plan
            self._look()
            return
        self._count()

    def _complete(self, trial: Trial, before: Plan) -> None:
        """Say which cells have got their scores with this trial. before: the plan before it."""
        chosen = [new for old, new in zip(before.cells, self.plan.cells, strict=True) if old.state != new.state]
        for cell in {id(cell): cell for cell in (*self._cells.get(trial.id, ()), *chosen)}.values():
            if cell.state == "planned" and all(settled(one, self.latest, self.tried) for one in cell.reported):
                self.progress.complete(cell, [self.latest[one.id] for one in cell.reported])

    def _found(self, event: Ended, running: Running) -> Json:
        """The trial's own record, or one of how its process died. Raises StoreError where it met a full disk."""
        if event.error is not None:
            raise event.error
        found = event.result
        if found is None:
            found = {"started": running.started, "costs": {"seconds": {"total": time.monotonic() - running.begun}}}
            found["status"], found["cause"] = running.kill_reason or (event.status, event.cause)
        if event.remarks:
            facts = found.setdefault("facts", {})
            facts["notes"] = list(dict.fromkeys([*facts.get("notes", []), *event.remarks]))
        found["cause"] = _bounded(redact_all(found["cause"]))
        if isinstance(found.get("facts"), dict):
            found["facts"] = redact_all(found["facts"])
        if found.pop("stop", False):
            raise StoreError(found["cause"])
        if found.pop("device_lost", False):
            self._lost[running.slot] = found["cause"]
            self.progress.note(f"{running.slot.name} is set aside: {found['cause']}")
        try:
            canonical(found)
        except ValueError as error:
            cause = f"its record holds no plain numbers: {error}"
            return {"started": running.started, "status": "failed", "cause": cause}
        return found

    def _record(self, found: Json, running: Running, log: str | None) -> Record:
        record = {
            **found,
            "trial": running.trial.to_json(),
            "attempt": running.attempt,
            "run": self.run,
            "suite": self.home.folder.name,
            "bench": version("retrain-bench"),
            "log": log,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        return cast(Record, record)

    def _watch(self) -> None:
        """Kill what has run too long, shows no sign of life, or has not finished in the time it was given."""
        now, suite = time.monotonic(), self.plan.suite
        if (away := now - self._watched) > 5 * WAIT:  # this process stood still, and heard no sign of life
            for running in self.running.values():
                running.begun += away
                running.alive = None if running.alive is None else now
        self._watched = now
        for order, running in self.running.items():
            if self.interrupt.over and running.kill_reason is None:
                running.kill_reason = ("killed", "interrupted by the user")
            if running.alive is not None and running.kill_reason is None:
                if now - running.begun > suite.timeout:
                    running.kill_reason = ("timeout", f"longer than the suite's timeout of {suite.timeout:g} s")
                elif now - running.alive > suite.hung:
                    running.kill_reason = ("hung", f"no sign of life for {suite.hung:g} s")
                if running.kill_reason is not None:
                    running.kill_from = now + DUMP_SECONDS
                    self.executor.dump(order)
            if running.kill_reason is not None and now >= running.kill_from:
                self.executor.kill(order)  # again each time: it may not have started yet


def _bounded(cause: Any) -> Any:
    """A cause that fits a line: a message may hold a whole document."""
    return f"{cause[:MOST]}…" if isinstance(cause, str) and len(cause) > MOST else cause
