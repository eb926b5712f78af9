"""Sweeps of a small suite that are killed at random, their cache damaged in between: `make soak`.

    PYTHONPATH=tests python tests/faults/soak.py --sweeps 20 --kills 60

Real trials on a tiny model. Each sweep has a results folder of its own, and all share one cache. A kill takes the
runner, the server that trials are forked from, or a trial's process. Fails where a score differs from those of a run
that nobody disturbed, where a record was lost, or where `bench check` finds a problem.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ground import REAL, Ground
from tiny_models import tiny_bert
from tiny_tasks import write_texts

from bench.store import cache, records

SUITE = """\
name: soak
models: {bert: {folder: bert}}
tasks: {t: {kind: text-classification, data: {files: {train: train.csv, test: test.csv}}, max_length: 16}}
regimes: {linear-probe: , full: {learning_rate: 0.01, steps: 30}}
tuning: {trials: 2}
sizes: [16]
seeds: 3
checkpoint: 0.1
"""
MOST_RUNS = 5
"""How often a sweep is run again, once it is left alone, before it must be whole."""


@dataclass
class Soak:
    """Sweeps in a folder. killed: how often who was killed; damaged: how often what was done to the cache."""

    ground: Ground
    chance: random.Random
    killed: Counter[str] = field(default_factory=Counter)
    damaged: Counter[str] = field(default_factory=Counter)

    def undisturbed(self) -> dict[str, Any]:
        """The scores that every sweep is to have."""
        self.run("undisturbed")
        return self.scores("undisturbed")

    def sweep(self, name: str, kills: int, expected: dict[str, Any]) -> None:
        """One sweep, killed so often and then left alone."""
        process, lines = None, set()
        for _ in range(kills):
            if process is None:
                self.damage()
                process = self.start(name)
            self.wait(name, process)
            lines = self.lines(name)
            if not self.kill(process):
                process = None
            assert lines <= self.lines(name), f"{name}: a record is lost"
        if process is not None:
            process.communicate(timeout=600)
        self.damage()
        self.run(name)
        assert lines <= self.lines(name), f"{name}: a record is lost"
        found = self.scores(name)
        differing = [trial for trial in expected if found.get(trial) != expected[trial]]
        assert found.keys() == expected.keys(), f"{name}: other trials"
        assert not differing, f"{name}: other scores of {differing}"
        (checked,) = json.loads(self.ground.run("check", name, "--json")[0])
        assert not checked["problems"], checked["problems"]

    def start(self, name: str) -> subprocess.Popen[str]:
        return self.ground.start("run", "soak.yaml", "--results", name)

    def run(self, name: str) -> None:
        """To its end; what was killed twice is left to the next run."""
        for _ in range(MOST_RUNS):
            process = self.start(name)
            out, err = process.communicate(timeout=600)
            assert process.returncode in (0, 1), (out, err)
            if process.returncode == 0:
                return
        raise AssertionError(f"{name}: not whole after {MOST_RUNS} runs: {out}")

    def wait(self, name: str, process: subprocess.Popen[str]) -> None:
        """Until some moment, most often while trials run."""
        if self.chance.random() < 0.8:
            goal, until = len(self.lines(name)) + self.chance.randrange(3), time.monotonic() + 120
            while len(self.lines(name)) < goal and process.poll() is None and time.monotonic() < until:
                time.sleep(0.05)
        time.sleep(self.chance.random() * (0.8 if self.lines(name) else 4))

    def kill(self, process: subprocess.Popen[str]) -> bool:
        """Kill someone, the runner where there is nobody else; returns whether the runner lives."""
        who, until = self.chance.choice(("runner", "server", "trial")), time.monotonic() + 30
        while not (pids := self.pids(who, process)) and process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        if process.poll() is None:
            who, pids = (who, pids) if pids else ("runner", [process.pid])
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.chance.choice(pids), 9)
                self.killed[who] += 1
        if who != "runner" and process.poll() is None:
            return True
        process.communicate(timeout=600)
        self.ground.nobody_left(100)  # a server that still imports sees it late
        return False

    def pids(self, who: str, process: subprocess.Popen[str]) -> list[int]:
        """The processes that are one of these now."""
        if who == "runner":
            return [process.pid]
        return self.ground.servers() if who == "server" else [child.pid for child in self.ground.forked()]

    def damage(self) -> None:
        """Do something to a few files of the cache, while nobody reads it."""
        for _ in range(self.chance.randrange(4)):
            files = [p for p in sorted((self.ground.folder / "cache").rglob("*")) if p.is_file() and p.stat().st_size]
            if not files:
                return
            path, how = self.chance.choice(files), self.chance.choice(("flipped", "cut", "removed", "entry removed"))
            about = path.stat()
            if how == "flipped":
                data = bytearray(path.read_bytes())
                data[self.chance.randrange(len(data))] ^= 1 << self.chance.randrange(8)
                path.write_bytes(data)
                os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
            elif how == "cut":
                os.truncate(path, self.chance.randrange(about.st_size))
            elif how == "removed":
                path.unlink()
            else:
                shutil.rmtree(path.parent)
            self.damaged[how] += 1

    def lines(self, name: str) -> set[bytes]:
        """The whole lines of a sweep's records."""
        files = (self.ground.folder / name / "soak" / "records").glob("*.jsonl")
        return {line for file in files for line in file.read_bytes().split(b"\n")[:-1]}

    def scores(self, name: str) -> dict[str, Any]:
        """By trial, all its scores."""
        found = records.read(self.ground.folder / name / "soak")
        assert not found.damaged, found.damaged
        latest = records.latest(found.records)
        assert all(record["status"] == "ok" for record in latest.values())
        return {trial: record["scores"] for trial, record in latest.items()}


def ready(folder: Path, seed: int) -> Soak:
    """A tiny model, its data and the suite in a folder."""
    tiny_bert("BertModel", folder / "bert")
    write_texts(folder / "train.csv", 60, 0)
    write_texts(folder / "test.csv", 24, 1)
    (folder / "soak.yaml").write_text(SUITE)
    return Soak(Ground(folder, REAL, HF_HUB_OFFLINE="1"), random.Random(seed))


def main() -> None:
    """Soak, and print what was done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweeps", type=int, default=20)
    parser.add_argument("--kills", type=int, default=60, help="in all; at least so many")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        soak, begun = ready(Path(folder), asked.seed), time.monotonic()
        expected = soak.undisturbed()
        for sweep in range(asked.sweeps):
            left = asked.kills - soak.killed.total()
            soak.sweep(f"s{sweep}", -(-left // (asked.sweeps - sweep)), expected)
            done = f"{soak.killed.total()} kills {dict(soak.killed)}, damage {dict(soak.damaged)}"
            print(f"sweep {sweep + 1}: {len(expected)} scores as undisturbed; {done}", flush=True)
        os.environ["BENCH_CACHE"] = f"{folder}/cache"
        entries = [sums.parent for sums in cache.root().rglob(cache.SUMS)]
        print(f"{time.monotonic() - begun:.0f} s; {len(entries)} cache entries at the end")


if __name__ == "__main__":
    main()
