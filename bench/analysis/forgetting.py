"""What training for one task cost a model on other tasks: their scores before and after."""

from __future__ import annotations

from statistics import fmean

import pandas as pd

from bench.analysis.results import Results

CELL = ["task", "model", "regime", "size", "noise"]
COLUMNS = ["suite", *CELL, "environment", "on", "metric", "before", "after", "seeds"]


def forgetting(results: Results) -> pd.DataFrame:
    """One row per cell, environment, task asked (`on`) and metric; `before` and `after` are means over `seeds`."""
    rows = []
    for cell, environment, attempts, _ in results.places:
        found: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for record in attempts:
            asked = record["scores"].get("forgetting", {}) if record["status"] == "ok" else {}
            for on, metrics in asked.items():
                for metric, pair in metrics.items():
                    found.setdefault((on, metric), []).append((pair["before"], pair["after"]))
        own = {key: cell[key] for key in CELL}
        for (on, metric), pairs in found.items():
            before, after = map(fmean, zip(*pairs, strict=True))
            rows.append({"suite": results.name, **own, "environment": environment, "on": on, "metric": metric,
                         "before": before, "after": after, "seeds": len(pairs)})  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)
