"""The scores on `also_test` sets beside the task's own, with the same statistics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from bench.analysis.cell_scores import collect, scores_on
from bench.analysis.frame import baseline_means, lower_is_better, spread
from bench.analysis.results import Results, places
from bench.store.record import ByName, Scores

CELL = ["task", "model", "regime", "size", "noise"]
COLUMNS = ["suite", *CELL, "environment", "on", "metric", "lower_is_better", "mean", "low", "high", "seed_sd",
           "interval", "seeds", "seeds_planned"]  # fmt: skip


def also_test(results: Results) -> pd.DataFrame:
    """One row per cell, environment and test set, of the metric that is compared. `on` names an also_test set; it is
    empty for the task's own test split, which has a row wherever one of those has."""
    rows: list[dict[str, Any]] = []
    for cell, environment, attempts, _ in places(results):
        ok = [r for r in attempts if r["status"] == "ok" and r["scores"].get("test") and r["scores"].get("also_test")]
        metric = str(ok[0]["scores"]["metric"]) if ok else ""
        for on in ("", *dict.fromkeys(name for r in ok for name in r["scores"]["also_test"])):
            own = [r for r in ok if metric in scores_on(r, on)]
            if not own:
                continue
            sample = collect(results.folder, own, metric, labelled=cell["size"] != 0, on=on, unusable=results.unusable)
            found = sample.interval()
            rows.append(
                {
                    "suite": results.name,
                    **{key: cell[key] for key in CELL},
                    "environment": environment,
                    "on": on,
                    "metric": metric,
                    "lower_is_better": lower_is_better(metric),
                    **{"mean": found.mean, "low": found.low, "high": found.high, "seed_sd": found.seed_sd},
                    "interval": sample.basis,
                    "seeds": len(own),
                    "seeds_planned": cell["seeds"],
                    "baselines": baseline_means([_baselines(r["scores"], on) for r in own], metric),
                }
            )
    return pd.DataFrame(list(spread(rows))) if rows else pd.DataFrame(columns=COLUMNS)


def _baselines(scores: Scores, on: str) -> Mapping[str, ByName | None]:
    return scores.get("also_test_baselines", {}).get(on, {}) if on else scores.get("baselines", {})
