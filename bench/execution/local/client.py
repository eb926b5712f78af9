"""The parent's end of the server that trials are forked from (`bench.execution.local.server`)."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import selectors
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import errors
from bench.errors import BenchError
from bench.execution.devices import numbering
from bench.execution.local import scratch
from bench.execution.local.server import DUMP, NO_RESULT
from bench.execution.local.server_process import Process
from bench.redact import redact
from bench.suite.trial import Json

LOG_END = 4000
"""Characters of a job's log that are kept when it fails."""
MOST_DEATHS = 3
"""Servers in a row that may die with no job ended between, before that is taken for no accident."""
FAREWELL = 3.0
"""Seconds the server is given to see its jobs die."""
LOOK = 1.0
"""Seconds at most between two looks at the server's clock."""
COMMAND = (sys.executable, "-P", "-m", "bench.execution.local.server")
"""-P: the current folder may hold a `torch.py`, or a folder `bench`; it is not looked into."""
QUIET = {
    "PYTHONSAFEPATH": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TQDM_DISABLE": "1",
}
"""The server stays at one thread: children forked after two-threaded work hang. Jobs raise their own count. What
they start with Python does not look into the current folder either."""
_CHUNK = 65536
_ORDERS, _EVENTS = "orders", "events"


@dataclass
class _Job:
    """A job under way or ended. place: its files, but for what follows the dot; pipe: what it prints comes from here;
    printed: the end of that; pid: once it runs; unwritten: whether there was no room for its result."""

    place: Path
    pipe: int
    printed: bytes = b""
    pid: int | None = None
    unwritten: bool = False

    def drain(self) -> bool:
        """Take what the job has printed, so that it never waits, and keep the end; False when nothing more can come."""
        try:
            data = os.read(self.pipe, _CHUNK)
        except BlockingIOError:
            return True
        self.printed = (self.printed + data)[-4 * LOG_END :]  # UTF-8: at most four bytes a character
        return bool(data)


class Server:
    """A running server; one that dies is replaced. A context manager: leaving it kills the server and every job."""

    def __init__(self) -> None:
        self._scratch, self._hold = scratch.new()
        self._count = 0
        self._jobs: dict[str, _Job] = {}
        self._running: set[str] = set()
        self._deaths = 0
        self._selector = selectors.DefaultSelector()
        self._started = False
        self._gone = ""
        self._process = self._start()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._process.ready:
            self._process.kill()  # it has no job yet, and would go on importing for seconds
        self._process.leave(FAREWELL)
        self._kill_running()
        self._selector.close()
        for name in list(self._jobs):
            self.forget(name)
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._hold.release()

    def submit(self, order: Json) -> str:
        """Start a job at once; returns its name, which its events carry."""
        self._count += 1
        job = f"job-{self._count}"
        place = self._room() / job
        log = place.with_suffix(".log")
        with scratch.refused(self._scratch):
            os.mkfifo(log)
            pipe = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
        self._jobs[job] = _Job(place, pipe)
        self._running.add(job)
        self._selector.register(pipe, selectors.EVENT_READ, job)
        result = str(place.with_suffix(".json"))
        more = {"job": job, "result": result, "log": str(log), "submitted": time.monotonic()}
        self._send({**order, **more})
        return job

    def events(self, timeout: float) -> list[Json]:
        """What has happened, waiting for it at most `timeout` seconds.

        When the server has died, its jobs have ended: an event each, `server` saying how. Raises BenchError when
        servers keep dying.
        """
        if self._gone:
            raise BenchError(self._gone)
        found: list[Json] = []
        for key, _ in self._selector.select(min(timeout, LOOK)):
            if key.data == _EVENTS:
                found += self._read()
            elif key.data == _ORDERS:
                self._send()
            elif not self._jobs[key.data].drain():
                self._selector.unregister(key.fileobj)
        if not found and not self._gone:
            self._process.watch()
            if self._process.ended():
                return self._died()  # also where a job that outlives it holds its end of the pipe open
        return found

    def _read(self) -> list[Json]:
        events = self._process.read()
        if events is None:
            return self._died()
        self._started = self._started or self._process.ready
        for event in events:
            if event["event"] == "started":
                self._jobs[event["job"]].pid = event["pid"]
            if event["event"] == "ended":
                self._deaths = 0
                self._jobs[event["job"]].unwritten = event.get("exit") == NO_RESULT
                self._ended(event["job"])
        return events

    def _send(self, order: Json | None = None) -> None:
        """Hand over an order, or what is left of one as soon as there is room for it."""
        process = self._process
        if self._gone:
            return
        process.send(order)
        waits = process.orders in self._selector.get_map()
        if process.unsent and not waits:
            self._selector.register(process.orders, selectors.EVENT_WRITE, _ORDERS)
        if not process.unsent and waits:
            self._selector.unregister(process.orders)

    def result(self, job: str) -> Json | None:
        """What an ended job left, or None where it was killed before, or the scratch folder removed. Raises StoreError
        where it could not leave it."""
        place = self._jobs[job].place
        if self._jobs[job].unwritten and place.parent.is_dir():
            with scratch.refused(place.parent):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        try:
            found = json.loads(place.with_suffix(".json").read_bytes())
        except (OSError, ValueError):
            return None
        # what an exception says may hold unpaired surrogates, which no file takes
        result: Json = json.loads(json.dumps(found, ensure_ascii=False).encode(errors="replace"))
        return result

    def log(self, job: str) -> str:
        """The end of what a job has printed, secrets taken out; bytes that are no text are shown as such."""
        return redact(self._jobs[job].printed.decode(errors="replace"))[-LOG_END:]

    def forget(self, job: str) -> None:
        """Put away what is kept of a job, and the job where it has not ended."""
        self.kill(job)
        self._running.discard(job)
        kept = self._jobs.pop(job)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(kept.pipe)
        os.close(kept.pipe)
        for suffix in (".json", ".log"):
            kept.place.with_suffix(suffix).unlink(missing_ok=True)

    def dump(self, job: str) -> None:
        """Have a job print the stack of each of its threads."""
        self._signal(job, DUMP)

    def kill(self, job: str) -> None:
        """Kill a job that has not ended, and everything it started."""
        pid = self._jobs[job].pid
        if pid is not None and job in self._running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        self._signal(job, signal.SIGKILL)  # a process that has only just started leads no group yet

    def call(self, order: Json) -> Any:
        """Run one job to its end and return its entry. Raises the error it ended in."""
        job = self.submit(order)
        while True:
            for event in self.events(60):
                if event["event"] == "ended" and event["job"] == job:
                    result, log = self.result(job), self.log(job)
                    self.forget(job)
                    if self._gone:
                        raise BenchError(self._gone)
                    if result is None:
                        raise BenchError(f"preparing {order['kind']} {order['name']}: {ending(event)}:\n{log}")
                    if "error" in result:
                        raise getattr(errors, result["error"])(result["message"])
                    return result["entry"]

    def _start(self) -> Process:
        with scratch.refused(self._room()):
            process = Process(COMMAND, self._scratch / "server.log", _environment())
        self._selector.register(process.events, selectors.EVENT_READ, _EVENTS)
        return process

    def _room(self) -> Path:
        """The scratch folder; a new one where somebody has tidied the temporary folder."""
        if not self._scratch.is_dir():
            self._hold.release()
            self._scratch, self._hold = scratch.new()
        return self._scratch

    def _died(self) -> list[Json]:
        """Put a new server in the place of a dead one; its jobs have ended with it."""
        how = self._process.how()
        self._kill_running()
        self._deaths += 1
        if not (self._started or self._process.silent) or self._deaths >= MOST_DEATHS:
            log = scratch.end_of(self._scratch / "server.log", LOG_END)
            self._gone = f"{ending({'server': how})}; what had finished is kept, running again goes on\n{log}".rstrip()
        for end in (self._process.events, self._process.orders):
            with contextlib.suppress(KeyError):
                self._selector.unregister(end)
        self._process.close()
        events: list[Json] = [{"event": "ended", "job": job, "server": how} for job in sorted(self._running)]
        for event in events:
            self._ended(event["job"])
        if not self._gone:
            self._process = self._start()
        return events

    def _ended(self, job: str) -> None:
        """Read what a pipe still holds (64 KiB); what goes on writing to it outlives its job and is not waited for."""
        self._running.discard(job)
        self._jobs[job].drain()

    def _kill_running(self) -> None:
        for job in self._running:
            self.kill(job)

    def _signal(self, job: str, number: int) -> None:
        pid = self._jobs[job].pid
        if pid is not None and job in self._running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def _environment() -> dict[str, str]:
    """The server's: with what asserts and docstrings are for, since libraries rely on them."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONOPTIMIZE"}
    return {**numbering(), **kept, **QUIET}


def ending(event: Json) -> str:
    """How a job ended that left no result."""
    who, how = "the trial's process", event
    if "server" in event:
        who, how = "the process that trials are forked from", event["server"]
    if "silent" in how:
        return f"{who} showed no sign of life for {how['silent']:.0f} s and was killed"
    if how.get("exit") == NO_RESULT:
        return f"{who} could not leave its result: the temporary folder was emptied meanwhile"
    return f"{who} ended with " + (f"signal {how['signal']}" if "signal" in how else f"exit code {how['exit']}")
