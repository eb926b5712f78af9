"""What tuning tried and chose, what it cost, and what more of it would have brought: pure functions over records."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.analysis.metric_facts import lower_is_better
from bench.analysis.results import Place, Results
from bench.store import records
from bench.store.record import Record

TESTING = ("test", "also_test", "forgetting", "left")
"""Stages of a trial that tuning does without: it needs the validation score alone."""


class Chosen(NamedTuple):
    """What the seeds of a cell chose. values: of each seed that has; edges: of how many the choice is on the edge of
    what was tried by more than one standard error; trials: how many were run to choose from; apart: how many tunings
    that was, 1 where one value serves all seeds."""

    parameter: str | None
    values: list[float]
    edges: int
    trials: int
    apart: int

    @property
    def tuned(self) -> dict[str, float]:
        """{parameter: the median of what was chosen}; empty where nothing was."""
        return {self.parameter: sorted(self.values)[len(self.values) // 2]} if self.parameter and self.values else {}


def chosen(place: Place) -> Chosen:
    """What tuning chose at a place of the plan, by the plan or, where trials tuned themselves, by their records."""
    cell = place.cell
    if cell.get("choices"):
        return _by_plan(cell)
    told = [r.get("facts", {}) for r in place.attempts if r["status"] == "ok"]
    own = [facts for facts in told if facts.get("tuned")]
    if own:
        parameter = next(iter(own[0]["tuned"]))
        values = [float(facts["tuned"][parameter]) for facts in own if parameter in facts["tuned"]]
        return Chosen(parameter, values, sum(bool(facts.get("on_edge")) for facts in own), 0, len(own))
    name, value = next(iter(cell["tuned"].items()), (None, None))
    values = [] if value is None else [float(value)] * max(1, len(place.attempts))
    return Chosen(name, values, len(values) * bool(cell["on_edge"]), len(cell["tuning"]), 1)


def _by_plan(cell: dict[str, Any]) -> Chosen:
    choices = cell["choices"]
    values = [float(one["chosen"]) for one in choices for _ in one["seeds"] if one["chosen"] is not None]
    edges = sum(len(one["seeds"]) for one in choices if one["on_edge"])
    trials = sum(len(one["seeds"]) * len(one["values"]) for one in choices if len(one["values"]) > 1)
    parameter = (cell.get("range") or {}).get("parameter") or next(iter(cell["tuned"]), None)
    return Chosen(parameter, values, edges, trials, len(choices))


def seconds(trials: Sequence[Record]) -> float:
    """What the trials that were not chosen took, without what tuning does not need of them; NaN where none says, 0 for
    none."""
    found = [r.get("costs", {}).get("seconds") or {} for r in trials]
    known = [float(of["total"] or 0) - math.fsum(of.get(s) or 0 for s in TESTING) for of in found if "total" in of]
    return math.fsum(known) if known or not trials else math.nan


COLUMNS = ["suite", "task", "model", "regime", "size", "noise", "seed", "parameter", "value", "metric",
           "lower_is_better", "validation", "status", "chosen", "on_edge", "seconds"]  # fmt: skip


def trials(results: Results) -> pd.DataFrame:
    """A row for every value that a seed tried by a trial: its validation score, and whether it was chosen. The scores
    on the test split of those that were not are looked at by nobody."""
    return pd.DataFrame(_trials(results), columns=COLUMNS)


def _trials(results: Results) -> Iterator[dict[str, Any]]:
    latest = records.latest(results.records)
    for cell in results.plan["cells"]:
        reported = set(cell["reported"])
        edge = {seed for one in cell.get("choices", ()) if one["on_edge"] for seed in one["seeds"]}
        own = [latest[id_] for id_ in (*cell["tuning"], *cell["reported"]) if id_ in latest]
        for record in own if cell.get("choices") or cell["tuning"] else ():
            trial: Any = record["trial"]
            scores: Any = record.get("scores") or {}
            metric = str(scores.get("metric", ""))
            found: Any = scores.get("validation") or {}
            for parameter, value in trial.get("tuned", {}).items():
                yield {
                    "suite": results.name, **{k: cell[k] for k in ("task", "model", "regime", "size", "noise")},
                    "seed": trial.get("seed"), "parameter": parameter, "value": value, "metric": metric,
                    "lower_is_better": lower_is_better(metric), "validation": found.get(metric, math.nan),
                    "status": record["status"], "chosen": trial["id"] in reported,
                    "on_edge": trial["id"] in reported and trial.get("seed") in edge, "seconds": seconds([record]),
                }  # fmt: skip


def expected_best(scores: Sequence[float], *, lower: bool = False) -> NDArray[np.float64]:
    """Expected best validation score of n trials, n = 1 … N, [N]: of n draws, with replacement, from the N scores that
    were found, Σᵢ s₍ᵢ₎ ((i/N)ⁿ − ((i−1)/N)ⁿ), s₍₁₎ ≤ … ≤ s₍N₎ (Dodge et al. 2019, arXiv 1909.03004). lower: whether
    the lowest is the best. Scores that are no number, of trials that failed, count as the worst of the others."""
    sign = -1.0 if lower else 1.0
    found = sign * np.asarray(scores, dtype=np.float64)
    if not np.isfinite(found).any():
        return np.full(len(found), np.nan)
    found = np.sort(np.where(np.isfinite(found), found, found[np.isfinite(found)].min()))
    count = len(found)
    draws, rank = np.arange(1, count + 1)[:, None], np.arange(1, count + 1)[None]
    weights = (rank / count) ** draws - ((rank - 1) / count) ** draws
    best: NDArray[np.float64] = sign * (weights @ found)
    return best


def tuning_curves(frame: pd.DataFrame) -> pd.DataFrame:
    """A row per task, model, regime, size, noise rate and number of trials: `expected`, the mean over seeds of the
    expected best validation score after so many. frame: `trials`; as many trials as the seed with the fewest had."""
    keys = ["suite", "task", "model", "regime", "size", "noise", "metric", "lower_is_better"]
    rows = []
    for place, of in frame[frame["metric"] != ""].groupby(keys, sort=False):
        lower = bool(of["lower_is_better"].iloc[0])
        curves = [expected_best(one["validation"].tolist(), lower=lower) for _, one in of.groupby("seed")]
        most = min(map(len, curves))
        mean = np.mean([curve[:most] for curve in curves], axis=0)
        rows += [{**dict(zip(keys, place, strict=True)), "trials": n + 1, "expected": mean[n]} for n in range(most)]
    return pd.DataFrame(rows, columns=[*keys, "trials", "expected"])
