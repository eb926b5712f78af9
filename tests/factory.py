"""Fabricates results folders, through the store's own writer, for tests of what reads them."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np

from bench.store import atomic, paths, records
from bench.suite.trial import Names, Trial
from bench.trial import evaluation

ENVIRONMENT = {
    **{"id": "aaaa", "device": "cpu", "processor": "Test CPU", "threads": 1, "precision": "fp32", "python": "3.11.0"},
    **{"platform": "Linux", "packages": {"numpy": "2.0", "torch": "9.9", "torchvision": None}},
}
OTHER = {**ENVIRONMENT, "id": "bbbb", "processor": "Other CPU"}


def trial(model: str, task: str, regime: str, size: int | str, noise: float, seed: int) -> Trial:
    """One trial whose every part is made from the names."""
    return Trial(
        model={"source": "hub", "version": 1, "parameters": {"hub": model}, "fingerprint": "0"},
        task={"kind": "text-classification", "version": 1, "parameters": {}, "data": {"hub": task}},
        regime={"kind": regime, "version": 1, "parameters": {}},
        size=size,  # type: ignore[arg-type]
        noise=noise,
        validation=0.2,
        seed=seed,
        tuned={},
        budget={"epochs": 3},
        training={},
        limits={},
        locations={},
        names=Names(model, task, regime),
    )


class Factory:
    """Fills one results folder; `finish` writes its plan. Scores and artifacts are drawn from the trial's own names."""

    def __init__(self, folder: Path, suite: str = "nlp", examples: int = 200) -> None:
        self.folder, self.examples = folder, examples
        self.plan: dict[str, Any] = {"schema": 1, "suite": suite, "tolerance": 0.01, "trials": {}, "cells": []}
        self.writer = records.Writer(folder, "run")
        self.writer.path = paths.records_file(folder, "20260101T000000Z", "run")
        self._attempts = 0

    def cell(
        self,
        regime: str,
        size: int | str,
        score: float | None,
        *,
        task: str = "sst2",
        model: str = "minilm",
        noise: float = 0.0,
        seeds: int = 3,
        state: str = "planned",
        tuning: int = 0,
        on_edge: bool = False,
        **attempt: Any,
    ) -> list[Trial]:
        """Plan one cell and, unless `score` is None, record an `ok` attempt of each of its seeds."""
        reported = [trial(model, task, regime, size, noise, seed) for seed in range(seeds)]
        tuned = [trial(model, task, regime, size, noise, 1000 + seed) for seed in range(tuning)]
        for one in reported + tuned:
            self.plan["trials"][one.id] = {
                **{"model": model, "task": task, "regime": regime, "size": size, "noise": noise},
                **{"seed": one.seed, "purpose": "tuning" if one in tuned else "reported"},
            }
        self.plan["cells"].append(
            {
                **{"model": model, "task": task, "regime": regime, "size": size, "noise": noise, "seeds": seeds},
                **{"state": state, "reason": "the model has no head" if state == "not_applicable" else None},
                **{"tuned": {"learning_rate": 3e-4} if tuning else {}, "on_edge": on_edge},
                **{"tuning": [t.id for t in tuned], "reported": [t.id for t in reported]},
            }
        )
        if score is not None:
            for one in reported + tuned:
                self.record(one, score, **attempt)
        return reported

    def record(
        self,
        of: Trial,
        score: float = 0.5,
        *,
        status: str = "ok",
        artifacts: bool = True,
        metric: str = "accuracy",
        environment: dict[str, Any] = ENVIRONMENT,
        costs: dict[str, Any] | None = None,
        also: dict[str, Any] | None = None,
        further: tuple[str, ...] = (),
        **more: Any,
    ) -> dict[str, Any]:
        """Write one attempt at a trial, with predictions of about `score`, and `also` beside it, where it is `ok`.

        further: names of up to three further test sets, each a part of the test split.
        """
        self._attempts += 1
        attempt = f"a{self._attempts}"
        record: dict[str, Any] = {
            **{"trial": of.to_json(), "attempt": attempt, "run": "run", "suite": self.plan["suite"], "status": status},
            **{"environment": environment, "started": "2026-01-01T00:00:00Z", "finished": "2026-01-01T00:01:00Z"},
            **{"facts": {"test_examples": self.examples, "train_examples": 8, "validation_examples": 2}},
            "costs": {"seconds": {"train": 12.5, "total": 20.0}, **(costs or {})},
        }
        if status == "ok":
            random = np.random.default_rng(zlib.crc32(f"{of.names}{of.size}{of.noise}{of.seed}".encode()))
            shared = np.random.default_rng(7).random(self.examples)
            outcome = (0.7 * shared + 0.3 * random.random(self.examples) < score).astype(np.float32)
            value = float(outcome.mean())
            elsewhere = {name: outcome[self.examples * k // 4 :] for k, name in enumerate(further, start=1)}
            scores: dict[str, Any] = {"metric": metric, "baselines": {"majority": {metric: 0.508}}, **(also or {})}
            if of.size:
                scores["baselines"]["tf-idf"] = {metric: 0.65 if of.size == "all" else 0.55 + of.size / 20_000}
            scores |= {"test": {metric: value}, "validation": {metric: value}}
            if elsewhere:
                scores["also_test"] = {name: {metric: float(part.mean())} for name, part in elsewhere.items()}
                scores["also_test_baselines"] = {name: {"majority": {metric: 0.503}} for name in elsewhere}
            record["scores"] = scores
            if artifacts:
                self._artifacts(of, attempt, outcome, elsewhere)
        else:
            record["cause"] = "CUDA out of memory: tried to allocate 2 GiB"
        record.update(more)
        self.writer.append(record)
        return record

    def _artifacts(self, of: Trial, attempt: str, outcome: Any, further: dict[str, Any]) -> None:
        own = {"predictions": _columns(outcome), "also_test": {name: _columns(o) for name, o in further.items()}}
        evaluation.save(paths.artifacts(self.folder, of.id, attempt), {"curve": {}, **own})

    def finish(self) -> Path:
        """Write the plan and return the folder."""
        self.writer.close()
        atomic.write_json(paths.plan(self.folder), self.plan)
        return self.folder


def _columns(outcome: Any) -> dict[str, Any]:
    count = len(outcome)
    return {
        "example": np.arange(count),
        "template": np.zeros(count, dtype=np.int64),
        "label": np.zeros(count, dtype=np.int64),
        "outcome": outcome,
        "log_probabilities": [np.array([-0.5, -1.0], dtype=np.float32)] * count,
    }


def forgotten(accuracy: float, loss: float) -> dict[str, Any]:
    """The part of `scores` that says what training cost a model on the task `sts`."""
    after = {"accuracy": accuracy, "masked_lm_loss": loss}
    before = {"accuracy": 0.81, "masked_lm_loss": 2.25}
    return {"forgetting": {"sts": {name: {"before": before[name], "after": after[name]} for name in after}}}


def followed(score: float, left: float) -> dict[str, Any]:
    """The part of `scores` that says what learning another task first gave, and what was left of that."""
    scores = {"before": {"accuracy": 0.9}, "after": {"accuracy": left}, "without": {"accuracy": score}}
    return {"after": {"task": "sts", "metric": "accuracy", **scores}}


def example(folder: Path, models: tuple[str, ...] = ("large_&<b>",), tasks: tuple[str, ...] = ("sst2",)) -> Path:
    """A results folder with everything a report has to show."""
    factory = Factory(folder)
    costs = {
        "memory_bytes": {"train_host": 1.2e9, "inference_host": 0.7e9},
        "parameters": {"trainable": 1.2e6, "total": 22.7e6},
        "stored_bytes": 4.8e6,
        "inference": {"latency_seconds": 0.0042, "examples_per_second": 830.0},
    }
    for index, model in enumerate(models):
        bonus = 0.03 * index
        for task in tasks:
            names: dict[str, Any] = {"model": model, "task": task, "costs": costs}
            templates = {"templates": {"accuracy": [0.73, 0.76, 0.73]}}
            names["further"] = ("imdb", "yelp")
            factory.cell("zero-shot", 0, 0.66 + bonus, seeds=1, also=templates, **names)
            for noise in (0.0, 0.2):
                for step, size in enumerate((64, 256, 1024, "all")):
                    facts = {"train_examples": 53_879, "validation_examples": 13_470, "test_examples": 200}
                    names |= {"noise": noise, "facts": facts}
                    gain = bonus - noise / 4
                    factory.cell("linear-probe", size, 0.70 + 0.03 * step + gain, tuning=1, **names)
                    lora = forgotten(0.77, 2.5) | followed(0.5, 0.85)
                    full = forgotten(0.55, 6.25) | followed(0.6, 0.4)
                    edge = size == 64
                    factory.cell("lora", size, 0.68 + 0.07 * step + gain, tuning=2, on_edge=edge, also=lora, **names)
                    factory.cell("full", size, 0.60 + 0.1 * step + gain, tuning=2, also=full, **names)
                    factory.cell("retrain", size, 0.5 + 0.06 * step + gain, seeds=2, **names)
            del names["noise"], names["facts"]
            factory.cell("as-is", 0, None, seeds=1, state="not_applicable", **names)
    for one in factory.cell("partial", 64, None):
        factory.record(one, status="oom_device")
    first, second, _ = factory.cell("partial", 256, None)
    factory.record(first, 0.7)
    factory.record(second, 0.7, status="diverged", cause="the loss is not finite at step 12")
    factory.cell("partial", 1024, None, state="waiting")
    for regime in ("lora", "full"):
        factory.cell(regime, 64, None, task="digits", state="not_applicable")
    factory.record(trial("old", "sst2", "lora", 64, 0.0, 0))
    factory.record(first, 0.6)
    with (paths.records(folder) / "torn.jsonl").open("w") as file:
        file.write('{"schema": 1')
    return factory.finish()
