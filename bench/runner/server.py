"""The parent's end of the server that trials are forked from (`bench.worker.server`)."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NoReturn

from bench import errors
from bench.errors import BenchError
from bench.suite.trial import Json

LOG_END = 4000
"""Characters of a job's log that are kept when it fails."""
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


class Server:
    """A running server. Use it as a context manager: leaving it kills the server and every job."""

    def __init__(self) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="bench-")
        self._jobs = 0
        self._pids: dict[str, int] = {}
        self._pending = b""
        self._ready = False
        self._errors = Path(self._scratch.name) / "server.log"
        with self._errors.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bench.worker.server"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **QUIET},
                start_new_session=True,  # Ctrl-C is the parent's to handle
            )
        assert self._process.stdout is not None
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._process.stdout, selectors.EVENT_READ)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        if not self._ready:
            self._process.kill()  # it has no job yet, and would go on importing for seconds
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()  # the server kills its jobs and ends
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._selector.close()
        self._scratch.cleanup()

    def submit(self, order: Json) -> str:
        """Start a job at once; returns its name, which its events carry."""
        self._jobs += 1
        job = f"job-{self._jobs}"
        folder = Path(self._scratch.name)
        paths = {"job": job, "result": str(folder / f"{job}.json"), "log": str(folder / f"{job}.log")}
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({**order, **paths}).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self._died()
        return job

    def events(self, timeout: float) -> list[Json]:
        """What has happened, waiting for it at most `timeout` seconds. Raises BenchError when the server died."""
        if not self._selector.select(timeout):
            if self._process.poll() is not None:  # a job that outlives it may hold its end of the pipe open
                self._died()
            return []
        assert self._process.stdout is not None
        data = os.read(self._process.stdout.fileno(), 65536)
        if not data:
            self._died()
        *lines, self._pending = (self._pending + data).split(b"\n")
        events = [json.loads(line) for line in lines]
        for event in events:
            self._ready = True
            if event["event"] == "started":
                self._pids[event["job"]] = event["pid"]
        return events

    def result(self, job: str) -> Json | None:
        """What an ended job left, or None where it was killed before."""
        try:
            found = json.loads((Path(self._scratch.name) / f"{job}.json").read_bytes())
        except (OSError, ValueError):
            return None
        # what an exception says may hold unpaired surrogates, which no file takes
        result: Json = json.loads(json.dumps(found, ensure_ascii=False).encode(errors="replace"))
        return result

    def log(self, job: str) -> str:
        """The end of a job's log."""
        return _end(Path(self._scratch.name) / f"{job}.log")

    def kill(self, job: str) -> None:
        """Kill a job and everything it started."""
        with contextlib.suppress(ProcessLookupError, KeyError):
            os.killpg(self._pids[job], signal.SIGKILL)

    def call(self, order: Json) -> Any:
        """Run one job to its end and return its entry. Raises the error it ended in."""
        job = self.submit(order)
        while True:
            for event in self.events(60):
                if event["event"] == "ended" and event["job"] == job:
                    result = self.result(job)
                    if result is None:
                        how = f"signal {event['signal']}" if "signal" in event else f"exit code {event['exit']}"
                        raise BenchError(
                            f"preparing {order['kind']} {order['name']} ended with {how}:\n{self.log(job)}"
                        )
                    if "error" in result:
                        raise getattr(errors, result["error"])(result["message"])
                    return result["entry"]

    def _died(self) -> NoReturn:
        code = self._process.wait()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        raise BenchError(
            f"the process that trials are forked from ended with {how}; what had finished is kept, running again goes "
            f"on from there\n{_end(self._errors)}".rstrip()
        )


def _end(log: Path) -> str:
    """The end of a log; bytes that are no text are shown as such."""
    return log.read_bytes()[-LOG_END:].decode(errors="replace") if log.exists() else ""
