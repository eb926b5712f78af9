"""Trials on tiny models, tried in this process: cut short at a step, and what is left of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import torch
from tiny_tasks import order

from bench.store import paths
from bench.suite.trial import Json, Trial
from bench.trial.run import run, status_of

CPU = torch.device("cpu")
Tick = Callable[[str, int, int | None], None]


class Killed(BaseException):
    """Ends an attempt as a kill does: nothing that handles exceptions of a trial sees it."""


def kill_at(step: int) -> Tick:
    """Ends an attempt just after this step, before it can be saved."""

    def tick(stage: str, done: int, total: int | None) -> None:
        if (stage, done) == ("train", step):
            raise Killed

    return tick


def attempt(
    trial: Trial, results: Path, *, every: float | None = None, tick: Tick = lambda *_: None, threads: int = 1
) -> Json:
    """One attempt at a trial: its record. every: seconds between checkpoints, 0 for one a step."""
    record: Json = {"status": "ok", "cause": None}
    number = len(list((results / "artifacts").rglob("curve.json"))) if results.is_dir() else 0
    spec = {**order(trial, results, f"a-{number}"), "checkpoint": every}
    try:
        run(spec, CPU, threads, tick, record)
    except Exception as error:
        record |= {"status": status_of(error), "cause": str(error)}
    return record


def saved(trial: Trial, results: Path) -> list[str]:
    """The checkpoints of a trial."""
    return sorted(p.name for p in paths.checkpoints(results, trial.id).glob("*"))


def outcome(record: Json, results: Path) -> dict[str, Any]:
    """All that must be the same to the bit, however often a trial was cut short."""
    assert record["status"] == "ok", record
    (curve,) = results.rglob("curve.json")
    table = pyarrow.parquet.read_table(curve.with_name("predictions.parquet"))
    costs = {name: record["costs"].get(name) for name in ("steps", "flops", "batch")}
    return {"scores": record["scores"], "curve": json.loads(curve.read_text()), "rows": table.to_pydict(), **costs}
