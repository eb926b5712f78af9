"""The scores on `also_test` sets beside the task's own, with the same statistics."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from bench.analysis.cell_candidates import basis
from bench.analysis.cell_scores import scores_on
from bench.analysis.column import built
from bench.analysis.frame import baseline_means, spread
from bench.analysis.results import Place, Results, scored
from bench.store.record import ByName, Record, Scores

CELL = ["task", "model", "regime", "size", "noise"]
COLUMNS = ["suite", *CELL, "environment", "on", "metric", "lower_is_better", "mean", "low", "high", "seed_sd",
           "interval", "seeds", "seeds_planned"]  # fmt: skip


def also_test(results: Results) -> pd.DataFrame:
    """One row per cell, environment and test set, of the metric that is compared. `on` names an also_test set; it is
    empty for the task's own test split, which has a row wherever one of those has."""
    rows: list[dict[str, Any]] = []
    groups: dict[tuple[Any, ...], list[tuple[Place, list[Record]]]] = {}
    for place in results.places:
        ok = [r for r in scored(place) if r["scores"].get("also_test")]
        key = tuple(place.cell[name] for name in ("task", "model", "size", "noise"))
        groups.setdefault((*key, place.environment), []).append((place, ok))
    for group in groups.values():
        for on in ("", *dict.fromkeys(name for _, ok in group for r in ok for name in r["scores"]["also_test"])):
            rows += _rows(results, group, on)
    order = {place.cell["regime"]: k for k, place in enumerate(results.places)}
    rows.sort(key=lambda row: order[row["regime"]])
    return pd.DataFrame(list(spread(rows))) if rows else pd.DataFrame(columns=COLUMNS)


def _rows(results: Results, group: list[tuple[Place, list[Record]]], on: str) -> Iterator[dict[str, Any]]:
    """The rows of one column on one test set."""
    found = []
    for place, ok in group:
        metric = str(ok[0]["scores"]["metric"]) if ok else ""
        own = [r for r in ok if metric in scores_on(r, on)]
        if own:
            row = {"suite": results.name, **{key: place.cell[key] for key in CELL}, "environment": place.environment}
            found.append(({**row, "metric": metric, "kind": place.cell["regime"], "compared": True}, place, own))
    for column in built(results, [(row, place._replace(attempts=own)) for row, place, own in found], on):
        for row, place, own in found:
            if row["metric"] != column.metric:
                continue
            one, interval = column.candidate(row["regime"]), column.interval(row["regime"])
            yield {
                **{key: row[key] for key in ("suite", *CELL, "environment")},
                "on": on,
                "metric": column.metric,
                "lower_is_better": column.lower_is_better,
                **{"mean": interval.mean, "low": interval.low, "high": interval.high},
                "seed_sd": float(one.scores.std(ddof=1)) if len(one.scores) > 1 else math.nan,
                "interval": basis(one),
                "seeds": len(own),
                "seeds_planned": place.cell["seeds"],
                "baselines": baseline_means([_baselines(r["scores"], on) for r in own], column.metric),
            }


def _baselines(scores: Scores, on: str) -> Mapping[str, ByName | None]:
    return scores.get("also_test_baselines", {}).get(on, {}) if on else scores.get("baselines", {})
