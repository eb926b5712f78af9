"""The promise, with processes really killed, disks really full."""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from rows import Row

from bench.store import records

pytestmark = pytest.mark.fault
SEEDS = 8
SUITE = """\
name: f
models: {m: {folder: model}}
tasks: {t: {kind: text-classification, data: {files: a.csv}, splits: {test: 0.2}, max_length: 16}}
regimes: {full: {learning_rate: 0.001, steps: 3}}
sizes: [16]
"""
COMMAND = [sys.executable, "-c", "from bench.cli import main; main(prog_name='bench')"]


class Ground:
    """A folder with a model, data and suites, and the `bench` processes started in it."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.folder = folder
        self.mark = uuid.uuid4().hex
        self.env = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "BENCH_CACHE": str(folder / "cache"),
            "MARK": self.mark,
            **env,
        }

    def suite(self, name: str, seeds: int = SEEDS, more: str = "") -> str:
        (self.folder / f"{name}.yaml").write_text(SUITE.replace("name: f", f"name: {name}") + f"seeds: {seeds}\n{more}")
        return f"{name}.yaml"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        # A process in the background ignores SIGINT, and so would its children.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([*COMMAND, *arguments], cwd=self.folder, env=self.env, **pipes)

    def run(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        """Standard output and standard error of a command that ends with this code."""
        return self.ended(self.start(*arguments), code)

    def ended(self, process: subprocess.Popen[str], code: int) -> tuple[str, str]:
        out, err = process.communicate(timeout=200)
        assert process.returncode == code, (out, err)
        assert "Traceback" not in err
        self.nobody_left()
        return out, err

    def jobs(self) -> list[psutil.Process]:
        """The trials and preparations that run now."""
        return [p for p in self._living() if (parent := p.parent()) and parent.pid in self._servers()]

    def server(self) -> psutil.Process:
        (pid,) = self._servers()
        return psutil.Process(pid)

    def nobody_left(self, seconds: float = 30) -> None:
        until = time.monotonic() + seconds
        while left := self._living():
            assert time.monotonic() < until, left
            time.sleep(0.1)

    def records(self, name: str) -> list[dict[str, Any]]:
        found = records.read(self.folder / "results" / name)
        assert not found.damaged
        return found.records

    def wait_for(self, name: str, count: int) -> None:
        """Until a suite has so many records."""
        until = time.monotonic() + 100
        while len(self.records(name)) < count:
            assert time.monotonic() < until
            time.sleep(0.02)

    def _living(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.status() != psutil.STATUS_ZOMBIE and process.environ().get("MARK") == self.mark:
                    found.append(process)
        return found

    def _servers(self) -> list[int]:
        """Servers are children of a `bench` command; jobs are children of a server."""
        living = {p.pid: p for p in self._living()}
        roots = {pid for pid, p in living.items() if p.ppid() not in living}
        return [pid for pid, p in living.items() if p.ppid() in roots]


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A tiny model and its data, prepared once."""
    from tiny_models import tiny_bert

    found = Ground(tmp_path_factory.mktemp("faults"))
    tiny_bert("BertForMaskedLM", found.folder / "model")
    rows = [f"the film is {'dull' if i % 2 else 'a joy'} and long {i},{'ab'[i % 2]}\n" for i in range(80)]
    (found.folder / "a.csv").write_text("text,label\n" + "".join(rows))
    yield found
    for process in found._living():
        process.kill()


def test_killed_at_any_moment_it_loses_only_what_was_in_flight(ground: Ground) -> None:
    suite, moments = ground.suite("killed"), random.Random(0)
    for _ in range(2):
        before = len(ground.records("killed"))
        process = ground.start("run", suite)
        ground.wait_for("killed", before + 1)
        time.sleep(moments.random())
        process.kill()
        process.communicate()
        ground.nobody_left()
    finished = {r["trial"]["id"] for r in ground.records("killed")}
    out, _ = ground.run("run", suite, "--json")
    assert json.loads(out)["executed"] == SEEDS - len(finished)
    found = Counter(r["trial"]["id"] for r in ground.records("killed"))
    assert len(found) == SEEDS
    assert set(found.values()) == {1}
    assert {r["status"] for r in ground.records("killed")} == {"ok"}


def test_a_killed_trial_is_a_record_and_a_killed_server_ends_the_run(ground: Ground) -> None:
    suite = ground.suite("parts", 5)
    process = ground.start("run", suite)
    ground.wait_for("parts", 1)
    victims = ground.jobs()
    while not victims:
        victims = ground.jobs()
    victims[0].kill()
    ground.wait_for("parts", 3)
    server = ground.server()
    server.send_signal(signal.SIGKILL)
    _, error = ground.ended(process, 1)
    assert "the process that trials are forked from ended with signal 9; what had finished is kept" in error
    (killed,) = (r for r in ground.records("parts") if r["status"] == "killed")
    assert killed["cause"] == "the trial's process ended with signal 9"
    before = {r["trial"]["id"] for r in ground.records("parts") if r["status"] == "ok"}
    out, _ = ground.run("run", suite, "--json")
    assert json.loads(out)["executed"] == 5 - len(before)
    done = ground.run("run", suite, "--json")[0]
    assert json.loads(done) == {"results": "results/parts", "executed": 0, "statuses": {}}


def test_interrupted_then_full_then_done(ground: Ground) -> None:
    suite = ground.suite("room", 6)
    process = ground.start("run", suite)
    ground.wait_for("room", 1)
    second = ground.start("run", suite)
    out, error = second.communicate(timeout=60)
    assert second.returncode == 2
    assert "another `bench run`" in error
    process.send_signal(signal.SIGINT)
    _, error = ground.ended(process, 130)
    assert error == "bench: interrupted; what had finished is kept, running again goes on from there\n"

    before = len(ground.records("room"))
    process = ground.start("run", suite)
    ground.wait_for("room", before + 1)
    (newest,) = sorted((ground.folder / "results/room/records").glob("*.jsonl"))[-1:]
    full = newest.stat().st_size + 100  # the next record does not fit
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (full, full))
    _, error = ground.ended(process, 3)
    assert f"{newest.name}: a record cannot be written" in error
    assert error.count("\n") == 1
    assert newest.read_bytes().endswith(b"\n")

    finished = {r["trial"]["id"] for r in ground.records("room")}
    out, _ = ground.run("run", suite, "--json")
    assert json.loads(out)["executed"] == 6 - len(finished)
    assert len(ground.records("room")) == 6


def test_interrupted_before_the_server_is_ready(ground: Ground) -> None:
    process = ground.start("run", ground.suite("early", 1))
    until = time.monotonic() + 30
    while not ground._servers():
        assert time.monotonic() < until
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    ground.ended(process, 130)
    assert time.monotonic() - begun < 5


def test_a_real_trial_runs_into_the_timeout(ground: Ground) -> None:
    out, _ = ground.run("run", ground.suite("late", 1, "timeout: 0.01\n"), "--json", code=1)
    assert json.loads(out)["statuses"] == {"timeout": 1}
