"""What has no score and why, and which records are left out of every table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from bench.analysis.results import Results
from bench.store import records
from bench.store.record import Record

COLUMNS = ["status", "cause", "task", "model", "regime", "size", "noise", "purpose", "seed", "trial", "environment"]


def failures(results: Results) -> pd.DataFrame:
    """One row per planned trial, tuning included, and environment whose latest attempt is not `ok`."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for environment in results.environments or [""]:
        for trial, record in results.latest(environment).items():
            names = results.plan["trials"].get(trial)
            if names is not None and record["status"] not in ("ok", "not_applicable"):
                rows[trial, str(record.get("attempt"))] = {
                    **names,
                    "status": record["status"],
                    "cause": str(record.get("cause") or "no cause recorded"),
                    "trial": trial,
                    "environment": records.environment(record),
                }
    return pd.DataFrame(list(rows.values()), columns=COLUMNS)


def _scores(record: Record) -> str:
    scores = record["scores"].get("test") or record["scores"].get("validation") or {}
    return ", ".join(f"{name} {value:.6g}" for name, value in sorted(scores.items()))


def left_out(results: Results) -> Iterator[str]:
    """A sentence for each thing in the folder that the tables do not show."""
    for line in results.damaged:
        yield f"Damaged line, skipped: {line.removeprefix(str(results.folder)).lstrip('/')}."
    if count := len(results.torn):
        were, their = ("record was", "its trial") if count == 1 else ("records were", "their trials")
        yield f"{count} {were} cut short by a kill; {their} ran again, and nothing is lost."
    for problem in results.unusable:
        yield f"Not used for intervals: {problem}."
    trials = results.plan["trials"]
    strange = [r for r in results.records if r["trial"]["id"] not in trials]
    if strange:
        yield f"Records of trials that the plan does not hold (an earlier version of the suite): {len(strange)}."
    planned = (r for r in results.records if r["trial"]["id"] in trials)
    for (trial, _), attempts in records.disagreements(planned).items():
        names = trials[trial]
        place = f"{names['task']}, {names['model']}, {names['regime']}, size {names['size']}, seed {names['seed']}"
        found = sorted({_scores(r) for r in attempts})
        yield f"{len(attempts)} attempts at one trial disagree ({place}): {' against '.join(found)}; the newest counts."
