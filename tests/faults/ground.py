"""A folder with a model, data and suites, and the `bench` processes started in it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from bench.store import records

SUITE = """\
name: f
models: {m: {folder: model}}
tasks: {t: {kind: text-classification, data: {files: a.csv}, splits: {test: 0.2}, max_length: 16}}
regimes: {full: {learning_rate: 0.001, steps: 3}}
sizes: [16]
"""
CONFIG = '{"model_type": "bert", "architectures": ["BertForMaskedLM"]}'
REAL = "from bench.cli import main; main(prog_name='bench')"
TINY = f"""\
import sys
from bench.execution.executors import local
local.COMMAND = (sys.executable, {str(Path(__file__).with_name("tiny_server.py"))!r})
{REAL}
"""
"""The whole command, but with `tiny_server.py` in place of a server that imports torch for seconds."""


class Ground:
    """`acts` has the tiny server's trials do something else than to answer: {seed: name}."""

    def __init__(self, folder: Path, source: str = TINY, **env: str) -> None:
        self.folder = folder
        self.source = source
        self.mark = uuid.uuid4().hex
        self.started: list[subprocess.Popen[str]] = []
        self.env = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "BENCH_CACHE": str(folder / "cache"),
            "MARK": self.mark,
            **env,
        }

    def fill(self) -> Ground:
        """A model that is no more than its config, and forty texts: enough for the tiny server."""
        (self.folder / "model").mkdir()
        (self.folder / "model/config.json").write_text(CONFIG)
        (self.folder / "model/model.safetensors").touch()
        (self.folder / "a.csv").write_text("text,label\n" + "".join(f"word {i},{'ab'[i % 2]}\n" for i in range(50)))
        return self

    def suite(self, name: str, seeds: int, more: str = "") -> str:
        (self.folder / f"{name}.yaml").write_text(SUITE.replace("name: f", f"name: {name}") + f"seeds: {seeds}\n{more}")
        return f"{name}.yaml"

    def start(self, *arguments: str, acts: dict[int, str] | None = None) -> subprocess.Popen[str]:
        # A process in the background ignores SIGINT, and so would its children.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        env = {**self.env, "TINY": json.dumps(acts or {})}
        command = [sys.executable, "-P", "-c", self.source, *arguments]  # -P: as the installed command
        self.started.append(subprocess.Popen(command, cwd=self.folder, env=env, **pipes))
        return self.started[-1]

    def run(self, *arguments: str, code: int = 0, acts: dict[int, str] | None = None) -> tuple[str, str]:
        """Standard output and standard error of a command that ends with this code."""
        return self.ended(self.start(*arguments, acts=acts), code)

    def run_beside(self, *arguments: str) -> None:
        """A command that ends well while another goes on."""
        _, err = (process := self.start(*arguments)).communicate(timeout=200)
        assert process.returncode == 0, err

    def ended(self, process: subprocess.Popen[str], code: int) -> tuple[str, str]:
        out, err = process.communicate(timeout=200)
        assert process.returncode == code, (out, err)
        assert "Traceback" not in err
        self.nobody_left()
        return out, err

    def forked(self) -> list[psutil.Process]:
        """The trials and preparations that run now."""
        parents = self.parents()
        servers = self.servers(parents)
        return [process for process, parent in parents.items() if parent in servers]

    def servers(self, parents: dict[psutil.Process, int] | None = None) -> list[int]:
        """Servers are children of a `bench` command; trials and preparations are children of a server."""
        parents = parents or self.parents()
        living = {p.pid for p in parents}
        commands = {process.pid for process, parent in parents.items() if parent not in living}
        return [process.pid for process, parent in parents.items() if parent in commands]

    def parents(self) -> dict[psutil.Process, int]:
        """The parent of each process that still lived when it was asked for."""
        found = {}
        for process in self.living():
            with contextlib.suppress(psutil.NoSuchProcess):
                found[process] = process.ppid()
        return found

    def end(self) -> None:
        """Kills what still runs, so that a test which failed leaves nothing for the next one to stumble over."""
        for process in self.living():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for command in self.started:
            with contextlib.suppress(ValueError):  # its pipes were closed by the test
                command.communicate()

    def living(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.status() != psutil.STATUS_ZOMBIE and process.environ().get("MARK") == self.mark:
                    found.append(process)
        return found

    def nobody_left(self, seconds: float = 1) -> None:
        until = time.monotonic() + seconds
        while left := self.living():
            assert time.monotonic() < until, left
            time.sleep(0.02)

    def records(self, name: str) -> list[dict[str, Any]]:
        found = records.read(self.folder / "results" / name)
        assert [line for line in found.damaged if not cut_short(line)] == []
        return found.records

    def wait_for(self, name: str, count: int, process: subprocess.Popen[str] | None = None) -> None:
        """Until a suite has so many records, or the process has ended."""
        self.until(lambda: len(self.records(name)) >= count or (process and process.poll() is not None))

    def until(self, happened: Callable[[], object], seconds: float = 100) -> None:
        until = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < until
            time.sleep(0.02)


def cut_short(damaged: str) -> bool:
    """Whether a damaged line (`path:number: problem`) is the last of its file and has no end: the kernel may end a
    write between two pages when it kills, or show a reader half of it."""
    path, number, _ = damaged.split(":", 2)
    data = Path(path).read_bytes()
    return data.count(b"\n") + 1 == int(number) and not data.endswith(b"\n")
