"""The scores of further test sets (`also_test`) beside the task's own, with the same statistics."""

from __future__ import annotations

from typing import Any

import pandas as pd

from bench.analysis.frame import Results, baseline, lower_is_better, places
from bench.analysis.sample import collect, scores_on

CELL = ["task", "model", "regime", "size", "noise"]
COLUMNS = ["suite", *CELL, "environment", "on", "metric", "lower_is_better", "mean", "low", "high", "seed_sd",
           "interval", "seeds", "seeds_planned", "baseline", "baseline_score"]  # fmt: skip


def also_test(results: Results) -> pd.DataFrame:
    """One row per cell, environment and test set, of the metric that is compared. `on` names a further set; it is empty
    for the task's own test split, which has a row wherever a further set has."""
    rows: list[dict[str, Any]] = []
    for cell, environment, attempts, _ in places(results):
        ok = [r for r in attempts if r["status"] == "ok" and r["scores"].get("test") and r["scores"].get("also_test")]
        metric = str(ok[0]["scores"]["metric"]) if ok else ""
        for on in ("", *dict.fromkeys(name for r in ok for name in r["scores"]["also_test"])):
            own = [r for r in ok if metric in scores_on(r, on)]
            if not own:
                continue
            sample = collect(results.folder, own, metric, labelled=cell["size"] != 0, on=on)
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
                    **baseline([(r["scores"].get("also_test_baselines") or {}).get(on, {}) if on else r["scores"]
                                for r in own], metric),
                }
            )  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)
