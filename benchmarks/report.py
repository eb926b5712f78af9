"""How long `bench report` takes, and how much memory, on a folder of synthetic records.

    python benchmarks/report.py build/many --records 50000

writes the folder (once), reports on it, and prints seconds, the highest resident memory and the page's size. The
records are a grid of tasks × models × regimes × sizes × noise rates × seeds; without predictions, as records that came
from elsewhere, or with `--examples N` with those of N test examples each.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.report import report
from bench.store import atomic, paths, records
from bench.suite.trial import Names, Trial

REGIMES = ("zero-shot", "linear-probe", "partial", "lora", "lora-r64", "full", "retrain", "continued-pretraining")
SIZES = (64, 256, 1024, 4096, 16384)
NOISE = (0.0, 0.2)
SEEDS = 5
MODELS = 5
ENVIRONMENT = {
    **{"id": "aaaa", "device": "cpu", "processor": "CPU", "threads": 1, "precision": "fp32", "python": "3.11.0"},
    **{"platform": "Linux", "packages": {"torch": "2.15.0"}},
}


def trials(count: int) -> Iterator[list[Trial]]:
    """The seeds of one cell after another, `count` trials in all."""
    tasks = (f"task-{number}" for number in itertools.count())
    made = 0
    for task in tasks:
        for model, regime, size, noise in itertools.product(range(MODELS), REGIMES, SIZES, NOISE):
            if regime == "zero-shot" and (size, noise) != (SIZES[0], NOISE[0]):
                continue
            seeds = range(1 if regime == "zero-shot" else SEEDS)
            yield [trial(f"model-{model}", task, regime, 0 if regime == "zero-shot" else size, noise, s) for s in seeds]
            made += len(seeds)
            if made >= count:
                return


def trial(model: str, task: str, regime: str, size: int, noise: float, seed: int) -> Trial:
    """One trial whose every part is made from the names."""
    kind = "lora" if regime.startswith("lora") else regime
    return Trial(
        model={"source": "hub", "version": 1, "parameters": {"hub": model}, "fingerprint": "0" * 40},
        task={"kind": "text-classification", "version": 1, "parameters": {"labels": ["no", "yes"]},
              "data": {"source": "hub", "parameters": {"hub": task}, "fingerprint": "1" * 40}},
        regime={"kind": kind, "version": 1, "parameters": {}},
        size=size, noise=noise, validation=0.2, seed=seed,
        tuned={} if regime == "zero-shot" else {"learning_rate": 3e-4}, budget={"epochs": 3},
        training={"batch_size": 16},
        limits={}, locations={}, names=Names(model, task, regime),
    )  # fmt: skip


def record(of: Trial, attempt: str, score: float, examples: int) -> dict[str, Any]:
    """An `ok` record of about today's size."""
    return {
        **{"trial": of.to_json(), "attempt": attempt, "run": "run", "suite": "many", "bench": "0.2.0", "status": "ok"},
        **{"environment": ENVIRONMENT, "started": "2026-01-01T00:00:00Z", "finished": "2026-01-01T00:01:00Z"},
        "facts": {"test_examples": examples or 1000, "train_examples": of.size, "validation_examples": 0, "notes": []},
        "costs": {
            "seconds": {"train": 12.5 * (1 + score), "test": 2.0, "total": 20.0},
            "memory_bytes": {"train_host": 1.2e9, "inference_host": 9e8},
            "parameters": {"total": 22_000_000, "trainable": 22_000_000},
            "stored_bytes": 91_000_000,
            "inference": {"latency_seconds": 0.01, "examples_per_second": 140.0, "latency_templates": 1},
        },
        "scores": {
            "metric": "accuracy",
            "test": {"accuracy": score},
            "validation": {"accuracy": score, "log_loss": 0.6},
            "baselines": {"majority": {"accuracy": 0.5}, "tf-idf": {"accuracy": 0.6}},
        },
    }  # fmt: skip


def write(folder: Path, count: int, examples: int) -> None:
    """Fill a results folder."""
    random = np.random.default_rng(0)
    cells, names, made = [], {}, 0
    with mock.patch("os.fsync"), records.Writer(folder, "run") as writer:  # nobody misses these after a crash
        for cell in trials(count):
            first = cell[0]
            skill = 0.55 + 0.03 * REGIMES.index(first.names.regime) + 0.02 * np.log2(1 + float(first.size)) / 2
            for one in cell:
                made += 1
                attempt = f"a{made}"
                outcome = random.random(examples or 1) < min(skill, 0.95) + random.normal(0, 0.01)
                score = float(outcome.mean()) if examples else float(min(0.99, skill + random.normal(0, 0.01)))
                writer.append(record(one, attempt, score, examples))  # type: ignore[arg-type]
                place = {"size": one.size, "noise": one.noise, "seed": one.seed, "purpose": "reported"}
                names[one.id] = {**vars(one.names), **place}
                if examples:
                    predictions(paths.predictions(folder, one.id, attempt), outcome)
            cells.append(
                {**vars(first.names), "size": first.size, "noise": first.noise, "seeds": len(cell), "state": "planned",
                 "reason": None, "tuned": dict(first.tuned), "on_edge": False, "range": None, "tuning": [],
                 "reported": [one.id for one in cell]}
            )  # fmt: skip
    plan = {"schema": 1, "suite": "many", "tolerance": 0.01, "trials": names, "cells": cells}
    atomic.write_json(paths.plan(folder), plan)


def predictions(path: Path, outcome: Any) -> None:
    """Answers of two classes that come out so."""
    count = len(outcome)
    label = np.arange(count) % 2
    said = np.where(outcome, label, 1 - label)
    probabilities = np.where(said[:, None] == np.arange(2), np.log(0.8), np.log(0.2)).astype(np.float32)
    table = pa.table({
        "example": np.arange(count), "template": np.zeros(count, np.int64), "outcome": outcome.astype(np.float32),
        "label": label, "log_probabilities": list(probabilities),
    })  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def main() -> None:
    """Write, report, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--examples", type=int, default=0)
    asked = parser.parse_args()
    if not paths.plan(asked.folder).exists():
        write(asked.folder, asked.records, asked.examples)
    before, cpu = time.perf_counter(), time.process_time()
    ((_, files),) = report(asked.folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    page = next(file for file in files if file.name == "report.html").stat().st_size
    print(
        f"{time.perf_counter() - before:.1f} s ({time.process_time() - cpu:.1f} s of this process), highest memory "
        f"{peak / 2**30:.2f} GiB, page {page / 1e6:.2f} MB, {len(files)} files"
    )


if __name__ == "__main__":
    main()
