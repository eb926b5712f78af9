"""Runs what is missing: tuning first, then the seeds that wait for it, one trial a slot, until nothing is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from bench.errors import BenchError, StoreError
from bench.redact import redact_all
from bench.runner.devices import Slot
from bench.runner.interrupt import Interrupt
from bench.runner.plan import INFRASTRUCTURE, Plan, settled
from bench.runner.server import Server, ending
from bench.store.bounds import Home
from bench.store.records import Writer
from bench.suite.trial import Json, Trial, canonical

WAIT = 0.5
"""Seconds the parent sleeps at most between two looks at its clocks."""
DUMP_SECONDS = 1.0
"""What a trial is given to print its stack before it is killed."""
PATIENCE = 3.0
"""Seconds a server is given to say that what was interrupted has ended."""


class Progress(Protocol):
    """Who is told how the run goes."""

    def planned(self, total: int, finished: int, waiting: int) -> None:
        """How many trials are known, settled, and not yet known because their tuning runs."""

    def started(self, slot: Slot, trial: Trial) -> None:
        """A trial begins."""

    def moved(self, slot: Slot, stage: str, done: int, total: int | None) -> None:
        """A trial shows a sign of life."""

    def ended(self, slot: Slot, trial: Trial, record: Json) -> None:
        """A trial's record is on disk."""

    def note(self, text: str) -> None:
        """Something the user should know."""


@dataclass
class Running:
    """A trial on a slot. alive: its last sign of life, None until its process has started; condemned: since when it is
    to be killed, for this reason (status, cause)."""

    trial: Trial
    slot: Slot
    attempt: str
    started: str
    begun: float = field(default_factory=time.monotonic)
    alive: float | None = None
    kill_reason: tuple[str, str] | None = None
    condemned: float = 0.0
    oom_kills: int = 0


@dataclass
class Scheduler:
    """One run of a suite. replan: (latest, tried) → the plan as it now stands; ended: each attempt's status."""

    replan: Callable[[dict[str, Json], set[str]], Plan]
    latest: dict[str, Json]
    server: Server
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
    _plan: Plan = field(init=False)
    _missing: list[Trial] = field(init=False)
    _known: int = 0
    _waiting: int = 0
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
            self._look()
            warned = False
            while self.running or (self._missing and not self.interrupt.asked):
                if self.interrupt.asked and not warned:
                    warned = True
                    self.progress.note(f"stopping: {self.interrupt.grace:g} s for what runs; once more stops it now")
                if not self.interrupt.asked:
                    self._fill()
                for event in self.server.events(WAIT):
                    self._handle(event)
                self._watch()
                if self.interrupt.over_for > PATIENCE:  # it hangs, or is only starting: no event will come
                    for job, running in list(self.running.items()):
                        self._end({"event": "ended", "job": job}, running)
        if self.interrupt.asked:
            raise KeyboardInterrupt
        return self._plan

    def _look(self) -> None:
        """Plan anew: what a tuning trial found says which trials are next."""
        self._plan = self.replan(self.latest, self.tried)
        flying = {r.trial.id for r in self.running.values()}
        trials = self._plan.trials().values()
        missing = [t for t in trials if t.id not in flying and not settled(t, self.latest, self.tried)]
        self._missing = sorted(missing, key=lambda t: t.purpose == "reported")
        self._known = len(trials)
        self._waiting = sum(cell.seeds for cell in self._plan.cells if cell.state == "waiting")
        self._count()

    def _count(self) -> None:
        finished = self._known - len(self._missing) - len(self.running)
        self.progress.planned(self._known + self._waiting, finished, self._waiting)

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
            "files": self.files[trial.names.model], "device": slot.device, "threads": slot.threads,
            "checkpoint": self._plan.suite.checkpoint,
        }  # fmt: skip
        job = self.server.submit(order)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.running[job] = Running(trial, slot, attempt, now, oom_kills=_oom_kills())
        self.progress.started(slot, trial)

    def _handle(self, event: Json) -> None:
        running = self.running.get(event.get("job", ""))
        if running is None:
            return
        if event["event"] == "started":
            running.begun = running.alive = time.monotonic()
        if event["event"] == "progress":
            running.alive = time.monotonic()
            self.progress.moved(running.slot, event["stage"], event["done"], event["total"])
        if event["event"] == "ended":
            self._end(event, running)

    def _end(self, event: Json, running: Running) -> None:
        found = self._found(event, running)
        log = None if found["status"] == "ok" else self.server.log(event["job"])
        record = self._record(found, running, log)
        self.server.forget(event["job"])
        self.writer.append(record)
        del self.running[event["job"]]
        self.progress.ended(running.slot, running.trial, record)
        self.ended.append(record["status"])
        self._settle(running.trial, record)

    def _settle(self, trial: Trial, record: Json) -> None:
        """What failed for reasons outside the trial is tried once more."""
        self.latest[trial.id] = record
        if record["status"] in INFRASTRUCTURE and trial.id not in self._again:
            self._again.add(trial.id)
            self._missing.append(trial)
        else:
            self.tried.add(trial.id)
            if trial.purpose == "tuning":
                self._look()
        self._count()

    def _found(self, event: Json, running: Running) -> Json:
        """The trial's own record, or the one its death deserves. Raises StoreError where it met a full disk."""
        found = self.server.result(event["job"])
        if found is None:
            found = {"started": running.started, "costs": {"seconds": {"total": time.monotonic() - running.begun}}}
            found["status"], found["cause"] = running.kill_reason or _death(event, running)
        found["cause"] = redact_all(found["cause"])
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

    def _record(self, found: Json, running: Running, log: str | None) -> Json:
        return {
            **found,
            "trial": running.trial.to_json(),
            "attempt": running.attempt,
            "run": self.run,
            "suite": self.home.folder.name,
            "bench": version("retrain-bench"),
            "log": log,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def _watch(self) -> None:
        """Kill what has run too long, shows no sign of life, or has not finished in the time it was given."""
        now, suite = time.monotonic(), self._plan.suite
        if (away := now - self._watched) > 5 * WAIT:  # this process stood still, and heard no sign of life
            for running in self.running.values():
                running.begun += away
                running.alive = None if running.alive is None else now
        self._watched = now
        for job, running in self.running.items():
            if self.interrupt.over and running.kill_reason is None:
                running.kill_reason = ("killed", "interrupted by the user")
            if running.alive is not None and running.kill_reason is None:
                if now - running.begun > suite.timeout:
                    running.kill_reason = ("timeout", f"longer than the suite's timeout of {suite.timeout:g} s")
                elif now - running.alive > suite.hung:
                    running.kill_reason = ("hung", f"no sign of life for {suite.hung:g} s")
                if running.kill_reason is not None:
                    running.condemned = now + DUMP_SECONDS
                    self.server.dump(job)
            if running.kill_reason is not None and now >= running.condemned:
                self.server.kill(job)  # again each time: it may not have started yet


def _death(event: Json, running: Running) -> tuple[str, str]:
    """Status and cause of a trial that left no result. Short of memory it was only where the kernel says so."""
    if event.get("out_of_memory") and event.get("signal") == 9:
        return "oom_host", "the kernel killed it: the machine ran out of memory"
    hint = ""
    if event.get("signal") == 9 and _oom_kills() > running.oom_kills:
        hint = "; meanwhile the kernel killed a process for want of memory, maybe this one"
    return "killed", ending(event) + hint


def _oom_kills() -> int:
    """How many processes the kernel has killed for memory so far; 0 where it does not tell."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
