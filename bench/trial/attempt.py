"""One attempt at a trial: where it runs, and in batches of which size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import plugins
from bench.contracts import Tick
from bench.probes.clock import Stages
from bench.probes.guard import Guard
from bench.probes.ledger import Ledger, synchroniser
from bench.store.results_folder import Home
from bench.suite.parameters import Training
from bench.suite.trial import Json, Trial


@dataclass(frozen=True)
class Attempt:
    """order: what was submitted (`bench.trial.run.run`). environment: the record's. halved: how often batches were
    halved because the device was full."""

    order: Json
    device: Any
    environment: Json
    halved: int
    tick: Tick
    guard: Guard

    @property
    def results(self) -> Path:
        """The folder of the suite's results."""
        return Path(self.order["results"])

    @property
    def home(self) -> Home | None:
        """The results folder as it was when the run began; None where nobody says."""
        return Home(self.results, *self.order["home"]) if "home" in self.order else None

    def ledger(self) -> Ledger:
        """An empty ledger on the device, without energy: for work that is done for several trials."""
        return Ledger(self.device, Stages(synchroniser(self.device)), self.guard)


def batches(training: Training, halved: int) -> tuple[int, int]:
    """Examples at a time: the micro-batch, and where nothing trains. Both are halved when the device is full."""
    return -(-training.batch_size // 2**halved), -(-training.evaluation_batch_size // 2**halved)


def is_local(trial: Trial) -> bool:
    """Whether the model runs on the device of its slot, and not behind an endpoint: its record then says `cpu`."""
    return plugins.load("model_sources", trial.model["source"]).LOCAL
