"""Columns whose truth is known, for tests and simulations of what reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.analysis.column import Candidate, Column

BLIND = ("zero-shot",)
COSTS = {"zero-shot": 0.0, "linear-probe": 1.0, "lora": 10.0, "full": 30.0, "retrain": 90.0}


def column(
    truth: Mapping[str, float],
    random: np.random.Generator,
    *,
    seeds: int = 5,
    examples: int = 2_000,
    seed_sd: float = 0.005,
    size: int | str = 512,
    tolerance: float = 0.01,
    noise: float = 0.0,
    hard: Any = None,
    agree: float = 0.8,
    **names: Any,
) -> Column:
    """Accuracies: each example has a difficulty that all regimes and seeds share in a part of `agree`.

    truth: the true mean of each regime, in the order of the suite; hard: the difficulties of the test examples, [N],
    for columns of one test split; each seed shifts a regime's true mean by a normal draw of `seed_sd`.
    """
    shared = random.random(examples) if hard is None else hard
    candidates = []
    for regime, mean in truth.items():
        labelled = regime not in BLIND
        count = seeds if labelled else 1
        means = np.clip(mean + seed_sd * random.standard_normal(count) * labelled, 0.001, 0.999)
        own = random.random((count, len(shared)))
        easy = np.where(random.random((count, len(shared))) < agree, shared, own)
        values = (easy < means[:, None]).astype(float)
        of = tuple(range(count))
        candidates.append(Candidate(regime, regime, labelled, of, values.mean(axis=1), values, np.arange(len(shared))))
    return Column(
        **{"suite": "planted", "task": "task", "model": "model", "environment": "aaaa", **names},
        size=size,
        noise=noise,
        metric="accuracy",
        lower_is_better=False,
        range=(0.0, 1.0),
        tolerance=tolerance,
        candidates=tuple(candidates),
        rows={regime: row(regime, size) for regime in truth},
    )


def row(regime: str, size: int | str) -> dict[str, Any]:
    """The costs that a regime is planted with."""
    cost = COSTS.get(regime, 50.0)
    return {
        "metric": "accuracy",
        "state": "ok",
        "labels": 0.0 if regime in BLIND else float(size if size != "all" else 10_000),
        "train_seconds": float("nan") if regime in BLIND else cost,
        "tuning_seconds": 3 * cost,
        "train_host_bytes": 1e9 + 1e8 * cost,
        "inference_host_bytes": 1e9,
        "stored_bytes": 1e6 * cost,
        "latency_seconds": 0.002 if regime == "lora" else 0.001,
        "total_seconds": 5 + cost,
    }


def sweep(
    truths: Mapping[int, Mapping[str, float]], random: np.random.Generator, *, examples: int = 2_000, **options: Any
) -> list[Column]:
    """A column a size, on the same test examples."""
    hard = random.random(examples)
    return [column(truth, random, examples=examples, size=size, hard=hard, **options) for size, truth in truths.items()]


def scores(columns: Sequence[Column], regime: str) -> list[float]:
    """The mean score of a regime at each size."""
    return [one.candidate(regime).mean for one in columns]
