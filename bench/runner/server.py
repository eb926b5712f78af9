"""The parent's end of the server that trials are forked from (`bench.worker.server`)."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from bench import errors
from bench.errors import BenchError, StoreError
from bench.redact import redact
from bench.suite.trial import Json
from bench.worker.server import DUMP, NO_RESULT

LOG_END = 4000
"""Characters of a job's log that are kept when it fails."""
MOST_DEATHS = 3
"""Servers in a row that may die with no job ended between, before that is taken for no accident."""
FAREWELL = 3.0
"""Seconds the server is given to see its jobs die."""
COMMAND = (sys.executable, "-m", "bench.worker.server")
PREFIX = "retrain-bench-"
"""Of the scratch folder's name."""
QUIET = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TQDM_DISABLE": "1",
}
"""The server stays at one thread: children forked after two-threaded work hang. Jobs raise their own count."""
_CHUNK = 65536


@dataclass
class _Job:
    """A job under way or ended. pipe: what it prints comes from here; printed: the end of that; pid: once it runs;
    unwritten: whether there was no room for its result."""

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
        self._scratch, self._hold = _scratch()
        self._count = 0
        self._jobs: dict[str, _Job] = {}
        self._running: set[str] = set()
        self._deaths = 0
        self._selector = selectors.DefaultSelector()
        self._pending = b""
        self._ready = self._started = False
        self._gone = ""
        self._process = self._start()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        if not self._ready:
            self._process.kill()  # it has no job yet, and would go on importing for seconds
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()  # the server kills its jobs and ends
        try:
            self._process.wait(FAREWELL)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._kill_running()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._selector.close()
        for name in list(self._jobs):
            self.forget(name)
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._hold.release()

    def submit(self, order: Json) -> str:
        """Start a job at once; returns its name, which its events carry."""
        self._count += 1
        job = f"job-{self._count}"
        log = self._scratch / f"{job}.log"
        with _scratch_refused(self._scratch):
            os.mkfifo(log)
            pipe = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
        self._jobs[job] = _Job(pipe)
        self._running.add(job)
        self._selector.register(pipe, selectors.EVENT_READ, job)
        more = {"job": job, "result": str(self._result(job)), "log": str(log), "submitted": time.monotonic()}
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ValueError):  # the server is dead: `events` will say so
            self._process.stdin.write(json.dumps({**order, **more}).encode() + b"\n")
            self._process.stdin.flush()
        return job

    def events(self, timeout: float) -> list[Json]:
        """What has happened, waiting for it at most `timeout` seconds.

        When the server has died, its jobs have ended: an event each, `server` saying how. Raises BenchError when
        servers keep dying.
        """
        if self._gone:
            raise BenchError(self._gone)
        found: list[Json] = []
        for key, _ in self._selector.select(timeout):
            if key.data is None:
                found += self._read()
            elif not self._jobs[key.data].drain():
                self._selector.unregister(key.fileobj)
        if not found and self._process.poll() is not None:
            return self._died()  # also where a job that outlives it holds its end of the pipe open
        return found

    def _read(self) -> list[Json]:
        assert self._process.stdout is not None
        data = os.read(self._process.stdout.fileno(), _CHUNK)
        if not data:
            return self._died()
        *lines, self._pending = (self._pending + data).split(b"\n")
        events: list[Json] = [json.loads(line) for line in lines]
        for event in events:
            self._ready = self._started = True
            if event["event"] == "started":
                self._jobs[event["job"]].pid = event["pid"]
            if event["event"] == "ended":
                self._deaths = 0
                self._jobs[event["job"]].unwritten = event.get("exit") == NO_RESULT
                self._ended(event["job"])
        return events

    def result(self, job: str) -> Json | None:
        """What an ended job left, or None where it was killed before. Raises StoreError where it could not leave it."""
        if self._jobs[job].unwritten:
            code = errno.ENOSPC if self._scratch.is_dir() else errno.ENOENT
            with _scratch_refused(self._scratch):
                raise OSError(code, os.strerror(code))
        try:
            found = json.loads(self._result(job).read_bytes())
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
        for path in (self._result(job), self._scratch / f"{job}.log"):
            path.unlink(missing_ok=True)

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

    def _start(self) -> subprocess.Popen[bytes]:
        with _scratch_refused(self._scratch):
            log = (self._scratch / "server.log").open("wb")
        with log:
            process = subprocess.Popen(
                COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **QUIET},
                start_new_session=True,  # Ctrl-C is the parent's to handle
            )
        assert process.stdout is not None
        self._selector.register(process.stdout, selectors.EVENT_READ)
        return process

    def _died(self) -> list[Json]:
        """Put a new server in the place of a dead one; its jobs have ended with it."""
        code = self._process.wait()
        how = {"signal": -code} if code < 0 else {"exit": code}
        self._kill_running()
        self._deaths += 1
        if not self._started or self._deaths >= MOST_DEATHS:
            with _scratch_refused(self._scratch):
                log = (self._scratch / "server.log").read_bytes()[-LOG_END:].decode(errors="replace")
            self._gone = f"{ending({'server': how})}; what had finished is kept, running again goes on\n{log}".rstrip()
        assert self._process.stdout is not None
        assert self._process.stdin is not None
        self._selector.unregister(self._process.stdout)
        self._process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        events: list[Json] = [{"event": "ended", "job": job, "server": how} for job in sorted(self._running)]
        for event in events:
            self._ended(event["job"])
        self._pending, self._ready = b"", False
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

    def _result(self, job: str) -> Path:
        return self._scratch / f"{job}.json"


def ending(event: Json) -> str:
    """How a job ended that left no result."""
    who, how = "the trial's process", event
    if "server" in event:
        who, how = "the process that trials are forked from", event["server"]
    return f"{who} ended with " + (f"signal {how['signal']}" if "signal" in how else f"exit code {how['exit']}")


def _scratch() -> tuple[Path, FileLock]:
    """A new folder for results and logs, and the lock that says it is in use. What killed runs left goes."""
    parent = None
    try:
        parent = Path(tempfile.gettempdir())
        for folder in parent.glob(f"{PREFIX}*"):
            _remove_unused(folder)
        found = Path(tempfile.mkdtemp(prefix=PREFIX))
        hold = FileLock(found / "lock")
        hold.acquire(timeout=0)
    except OSError as error:
        raise _refusal(parent, error) from error
    return found, hold


def _remove_unused(folder: Path) -> None:
    """Remove a scratch folder of this user's whose lock nobody holds: not on this machine, in no container."""
    with contextlib.suppress(OSError, Timeout):
        if (folder / "lock").is_file() and folder.stat().st_uid == os.getuid():
            with FileLock(folder / "lock", timeout=0):
                shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _scratch_refused(folder: Path) -> Iterator[None]:
    """Raise StoreError for OSError."""
    try:
        yield
    except OSError as error:
        raise _refusal(folder, error) from error


def _refusal(folder: Path | None, error: OSError) -> StoreError:
    place = folder or "the temporary folder"
    return StoreError(
        f"{place}: cannot be written: {error.strerror or error}; make room there, or set TMPDIR elsewhere"
    )
