"""Saves a long run every few minutes, whole or not at all, and goes on from what was saved."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

import torch

from bench.errors import StoreError
from bench.probes.clock import Stages
from bench.probes.memory import PeakMemory
from bench.store import atomic
from bench.store.results_folder import Home
from bench.suite.trial import Json
from bench.training.state import Run

FORMAT = 2
"""Counts up whenever a run that goes on from an older checkpoint would not be the same run."""
STAGES = ("train", "validation", "checkpoint")
"""What an attempt that goes on need not do again: its seconds add up."""


class Checkpoint:
    """One trial's checkpoints: a folder with one in it, named by its step.

    key: what a checkpoint must have been saved under to be used; every: seconds between two; stages, memory: what has
    been measured goes with it; notes: where it says what happened; home: the results folder; resumed: the steps at
    which the trial went on.
    """

    def __init__(
        self, folder: Path, key: Json, every: float, stages: Stages, memory: PeakMemory, notes: list[str],
        home: Home | None = None,
    ) -> None:  # fmt: skip
        self._folder, self._every = folder, every
        self._key = {"format": FORMAT, "bench": version("retrain-bench"), **key}
        self._stages, self._memory, self._notes, self._home = stages, memory, notes, home
        self._last = time.perf_counter()
        self.resumed: list[int] = []

    def restore(self, run: Run) -> None:
        """Let the run go on from the newest checkpoint that is whole and its own, if there is one."""
        found = self._load()
        if found is not None:
            run.go_on(found["run"])
            self.resumed = [*found["resumed"], run.spent.step]
            self._notes.append("it went on from its checkpoint")
            self._stages.carry(found["stages"], within="train")
            self._memory.reset()  # loading the checkpoint is not training
            self._memory.carry(found["memory"])
        self._last = time.perf_counter()

    def due(self) -> bool:
        """Whether it is time to save."""
        return time.perf_counter() - self._last >= self._every

    def save(self, run: Run) -> None:
        """Put a new checkpoint in the old one's place. Where the disk refuses, that is a note and the last try."""
        with self._stages.stage("checkpoint"):
            self._memory.carry(self._memory.peaks("train"))
            state = {
                "run": run.state(),
                "resumed": self.resumed,
                "stages": self._stages.so_far(STAGES),
                "memory": dict(self._memory.found),
            }
            target = self._folder / str(run.spent.step)
            try:
                if self._home is not None:
                    self._home.check()
                self._write(target, state)
            except (OSError, StoreError, RuntimeError):  # the last is what torch makes of a full disk
                self._notes.append("no checkpoint could be written: it went on without")
                self._every = float("inf")
        self._last = time.perf_counter()

    def _write(self, target: Path, state: Json) -> None:
        shutil.rmtree(target, ignore_errors=True)  # of this step there is one only where it could not be used
        with atomic.folder(target) as partial:
            torch.save(state, partial / "state.pt")
            about = {**self._key, "sha256": _digest(partial / "state.pt")}
            (partial / "about.json").write_text(json.dumps(about))
        for other in set(self._folder.iterdir()) - {target}:
            shutil.rmtree(other, ignore_errors=True)

    def _load(self) -> Json | None:
        reason = None
        found = [path for path in self._folder.glob("*") if path.name.isdecimal()]
        for path in sorted(found, key=lambda p: int(p.name), reverse=True):
            try:
                about = json.loads((path / "about.json").read_bytes())
                differs = [name for name, value in self._key.items() if about[name] != value]
                if differs:
                    reason = reason or f"saved under another {' and '.join(differs)}"
                elif about["sha256"] == _digest(path / "state.pt"):
                    state: Json = torch.load(path / "state.pt", map_location="cpu", weights_only=True)
                    return state
                else:
                    reason = reason or "damaged"
            except (OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, pickle.UnpicklingError):
                reason = reason or "damaged"
        if reason is not None:
            self._notes.append(f"its checkpoint was {reason} and not used")
        return None


@contextmanager
def until_it_ends(folder: Path) -> Iterator[None]:
    """A trial that ends by itself, however, leaves no checkpoint; one that is killed leaves it to go on from."""
    try:
        yield
    except Exception:
        _remove(folder)
        raise
    _remove(folder)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # other trials' are in it
        folder.parent.rmdir()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
