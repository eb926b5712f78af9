"""The same results judged by another of the metrics that their records hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from bench.analysis.frame import cells
from bench.analysis.rescore import with_rescored
from bench.analysis.results import Results
from bench.store.record import Record


def metrics(results: Results) -> list[str]:
    """Every metric that a record has a test score by, or `bench rescore` found; those compared by come first."""
    found = with_rescored(results).records
    own = {str(r["scores"]["metric"]): None for r in found if "scores" in r}
    others = {name: None for r in found for name in r.get("scores", {}).get("test", {})}
    return [*{**own, **others}]


def by_metric(results: Results, metric: str) -> Results:
    """As if the suite had named this metric first. Records that do not have it are as if they had not been made."""
    found = with_rescored(results).records
    return replace(results, records=[one for r in found if (one := _judged(r, metric)) is not None])


def _judged(record: Record, metric: str) -> Record | None:
    if record["status"] != "ok":
        return record
    scores = record["scores"]
    if metric not in scores.get("test", {}):
        return None
    own: Record = {**record, "scores": {**scores, "metric": metric}}
    if metric != scores["metric"]:  # the outcomes that are kept are those of the other
        own["rescored"] = [*record.get("rescored", []), metric]
    return own


def frames(results: Results, frame: pd.DataFrame, wanted: Sequence[str]) -> dict[str, pd.DataFrame]:
    """{metric: the tidy frame by it}. frame: that by the metrics which cells are compared by."""
    found = {}
    for metric in dict.fromkeys(wanted):
        own = set(frame["metric"]) - {""} == {metric}
        found[metric] = frame if own else cells([by_metric(results, metric)])
    return found
