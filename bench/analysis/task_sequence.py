"""What a task gained by another learnt before it, and what was left of that one: their scores before and after."""

from __future__ import annotations

from statistics import fmean

import pandas as pd

from bench.analysis.forgetting import CELL
from bench.analysis.results import Results
from bench.store.record import Scores

VALUES = ["without", "with", "before", "after"]
COLUMNS = ["suite", *CELL, "environment", "metric", "first", "first_metric", *VALUES, "seeds"]


def sequence(results: Results) -> pd.DataFrame:
    """One row per environment and cell whose task comes after another (`first`): means over `seeds` of its score by its
    `metric` `without` and `with` it, and of the first one's by `first_metric`, right after it was learnt (`before`) and
    at the end (`after`)."""
    rows = []
    for cell, environment, attempts, _ in results.places:
        every = [r["scores"] for r in attempts if r["status"] == "ok" and r["scores"].get("after")]
        found = [s for s in every if s.get("test") and _compared_by(s) == _compared_by(every[0])]
        if not found:
            continue
        metric, after = str(found[0]["metric"]), found[0]["after"]
        values = [
            [s["after"]["without"][metric], s["test"][metric], s["after"]["before"][after["metric"]],
             s["after"]["after"][after["metric"]]]
            for s in found
        ]  # fmt: skip
        rows.append({"suite": results.name, **{key: cell[key] for key in CELL}, "environment": environment,
                     "metric": metric, "first": after["task"], "first_metric": after["metric"], "seeds": len(found),
                     **dict(zip(VALUES, map(fmean, zip(*values, strict=True)), strict=True))})  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def _compared_by(scores: Scores) -> tuple[str, str]:
    return scores["metric"], scores["after"]["metric"]
