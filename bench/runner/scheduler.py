"""Runs what is missing: tuning first, then the seeds that wait for it, one trial a slot, until nothing is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from bench.runner.devices import Slot
from bench.runner.plan import Plan, settled
from bench.runner.server import Server
from bench.store.records import Writer
from bench.suite.trial import Json, Trial, canonical

WAIT = 0.5
"""Seconds the parent sleeps at most between two looks at its clocks."""


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


@dataclass
class Running:
    """A trial on a slot. alive: its last sign of life, None until its process has started."""

    trial: Trial
    slot: Slot
    attempt: str
    started: str
    begun: float = field(default_factory=time.monotonic)
    alive: float | None = None
    kill_reason: tuple[str, str] | None = None
    oom_kills: int = 0


@dataclass
class Scheduler:
    """One run of a suite. replan: (latest, tried) → the plan as it now stands."""

    replan: Callable[[dict[str, Json], set[str]], Plan]
    latest: dict[str, Json]
    server: Server
    slots: list[Slot]
    writer: Writer
    progress: Progress
    run: str
    results: Path
    files: dict[str, Json]
    tried: set[str] = field(default_factory=set)
    running: dict[str, Running] = field(default_factory=dict)

    def execute(self) -> Plan:
        """Run until nothing is missing; returns the last plan. Every record is on disk before the next trial starts."""
        plan, missing = self._look()
        while missing or self.running:
            busy = {r.slot for r in self.running.values()}
            for slot in self.slots:
                if slot not in busy and missing:
                    self._start(slot, missing.pop(0))
            ended = False
            for event in self.server.events(WAIT):
                ended |= self._handle(event)
            self._watch(plan)
            if ended:
                plan, missing = self._look()
        return plan

    def _look(self) -> tuple[Plan, list[Trial]]:
        plan = self.replan(self.latest, self.tried)
        trials = plan.trials()
        flying = {r.trial.id for r in self.running.values()}
        missing = [t for t in trials.values() if t.id not in flying and not settled(t, self.latest, self.tried)]
        waiting = sum(cell.seeds for cell in plan.cells if cell.state == "waiting")
        self.progress.planned(len(trials) + waiting, len(trials) - len(missing) - len(flying), waiting)
        return plan, sorted(missing, key=lambda t: t.purpose == "reported")

    def _start(self, slot: Slot, trial: Trial) -> None:
        attempt = f"{self.run}-{len(self.tried) + len(self.running) + 1:05d}"
        order = {
            "do": "trial", "trial": trial.to_json(), "attempt": attempt, "results": str(self.results),
            "files": self.files[trial.names.model], "device": slot.device, "threads": slot.threads,
        }  # fmt: skip
        job = self.server.submit(order)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.running[job] = Running(trial, slot, attempt, now, oom_kills=_oom_kills())
        self.progress.started(slot, trial)

    def _handle(self, event: Json) -> bool:
        """Take note of an event; True when a trial ended."""
        running = self.running.get(event.get("job", ""))
        if running is None:
            return False
        if event["event"] == "started":
            running.begun = running.alive = time.monotonic()
        if event["event"] == "progress":
            running.alive = time.monotonic()
            self.progress.moved(running.slot, event["stage"], event["done"], event["total"])
        if event["event"] != "ended":
            return False
        record = self._record(event, running)
        self.writer.append(record)
        self.tried.add(running.trial.id)
        self.latest[running.trial.id] = record
        del self.running[event["job"]]
        self.progress.ended(running.slot, running.trial, record)
        return True

    def _record(self, event: Json, running: Running) -> Json:
        """The trial's own record, or the one its death deserves."""
        found = self.server.result(event["job"])
        if found is None:
            found = {"started": running.started, "costs": {"seconds": {"total": time.monotonic() - running.begun}}}
            if running.kill_reason is not None:
                found["status"], found["cause"] = running.kill_reason
            elif event.get("signal") == 9 and _oom_kills() > running.oom_kills:
                found["status"], found["cause"] = "oom_host", "the kernel killed it: the machine ran out of memory"
            else:
                how = f"signal {event['signal']}" if "signal" in event else f"exit code {event.get('exit')}"
                found["status"], found["cause"] = "killed", f"the trial's process ended with {how}"
        try:
            canonical(found)
        except ValueError as error:
            found = {
                "started": running.started,
                "status": "failed",
                "cause": f"its record holds no plain numbers: {error}",
            }
        return {
            **found,
            "trial": running.trial.to_json(),
            "attempt": running.attempt,
            "run": self.run,
            "suite": self.results.name,
            "bench": version("retrain-bench"),
            "log": None if found["status"] == "ok" else self.server.log(event["job"]),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def _watch(self, plan: Plan) -> None:
        """Kill what has run too long or shows no sign of life."""
        now = time.monotonic()
        for job, running in self.running.items():
            if running.alive is None:
                continue
            if now - running.begun > plan.suite.timeout:
                running.kill_reason = ("timeout", f"longer than the suite's timeout of {plan.suite.timeout:g} s")
            elif now - running.alive > plan.suite.hung:
                running.kill_reason = ("hung", f"no sign of life for {plan.suite.hung:g} s")
            if running.kill_reason is not None:
                self.server.kill(job)  # again each time: a process that has only just started leaves its group first


def _oom_kills() -> int:
    """How many processes the kernel has killed for memory so far; 0 where it does not tell."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
