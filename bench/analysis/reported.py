"""Published numbers that a suite tells of (`reported:`), and ours beside them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd
from scipy import stats

from bench.analysis.by_metric import frames
from bench.analysis.results import Results

COLUMNS = [
    "task", "model", "regime", "size", "metric", "reported", "spread", "reported_seeds", "ours", "low", "high", "seeds",
    "environment", "difference", "difference_low", "difference_high", "source",
]  # fmt: skip
NORMAL = float(stats.norm.ppf(0.975))


def reported(results: Results, frame: pd.DataFrame) -> pd.DataFrame:
    """A row for each published number, model and environment, `COLUMNS`; NaN where nothing of ours is there yet.

    The difference is ours minus theirs. Its 95 % interval is that of our mean and, where a standard deviation over a
    number of runs was published, that of theirs: the root of the sum of both half-widths squared. Without one the
    published number is taken as exact.
    """
    told = [one for one in results.plan.get("reported") or () if isinstance(one, dict)]
    by = frames(results, frame, [str(one["metric"]) for one in told])
    rows = [row for one in told for row in _rows(one, by[str(one["metric"])])]
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(one: dict[str, Any], frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    there = (frame["task"] == one["task"]) & (frame["regime"] == one["regime"]) & (frame["noise"] == 0)
    if one.get("model") is not None:
        there &= frame["model"] == one["model"]
    there &= frame["labels"] == 0 if one["size"] == 0 else frame["size"] == one["size"]
    known = frame[there].drop_duplicates(["model", "environment"])
    theirs = {"task": one["task"], "regime": one["regime"], "size": one["size"], "metric": one["metric"],
              "reported": float(one["value"]), "spread": float(one.get("spread", math.nan)),
              "reported_seeds": one.get("seeds"), "source": str(one["source"])}  # fmt: skip
    if known.empty:
        yield {**theirs, "model": one.get("model") or "", "seeds": 0, "environment": ""}
    for _, row in known.iterrows():
        difference = row["mean"] - theirs["reported"]
        half = math.hypot((row["high"] - row["low"]) / 2, _half(theirs))
        yield {
            **theirs,
            **{"model": row["model"], "environment": row["environment"], "seeds": row["seeds"], "ours": row["mean"]},
            **{"low": row["low"], "high": row["high"], "difference": difference},
            **{"difference_low": difference - half, "difference_high": difference + half},
        }


def _half(theirs: dict[str, Any]) -> float:
    """Half of the 95 % interval of a published mean; 0 where nobody says how it varied, or over how many runs."""
    if theirs["reported_seeds"] is None or math.isnan(theirs["spread"]):
        return 0.0
    return NORMAL * float(theirs["spread"]) / math.sqrt(theirs["reported_seeds"])
