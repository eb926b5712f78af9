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
from typing import Any

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
        self._errors = Path(self._scratch.name) / "server.log"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.worker.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors.open("wb"),
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
            return []
        assert self._process.stdout is not None
        data = os.read(self._process.stdout.fileno(), 65536)
        if not data:
            self._died()
        *lines, self._pending = (self._pending + data).split(b"\n")
        events = [json.loads(line) for line in lines]
        for event in events:
            if event["event"] == "started":
                self._pids[event["job"]] = event["pid"]
        return events

    def result(self, job: str) -> Json | None:
        """What an ended job left, or None where it was killed before."""
        path = Path(self._scratch.name) / f"{job}.json"
        result: Json | None = json.loads(path.read_text()) if path.exists() else None
        return result

    def log(self, job: str) -> str:
        """The end of a job's log."""
        path = Path(self._scratch.name) / f"{job}.log"
        return path.read_bytes()[-LOG_END:].decode(errors="replace") if path.exists() else ""

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
                        raise BenchError(f"preparing {order['kind']} {order['name']} failed:\n{self.log(job)}")
                    if "error" in result:
                        raise getattr(errors, result["error"])(result["message"])
                    return result["entry"]

    def _died(self) -> None:
        raise BenchError(f"the server that trials are forked from died:\n{self._errors.read_text(errors='replace')}")
