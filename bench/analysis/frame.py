"""From results folders to the tidy frame: one row per task, model, regime, size, noise rate and environment."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import pandas as pd

from bench.analysis import costs
from bench.analysis.cell_scores import Sample, collect
from bench.analysis.column import BASELINE as BASELINE
from bench.analysis.metric_facts import lower_is_better as lower_is_better
from bench.analysis.results import KEYS, Place, places, scored
from bench.analysis.results import Results as Results  # where callers look for it
from bench.analysis.results import load as load
from bench.store.record import ByName, Record

UNDONE = ("missing", "waiting", "unresolved", "partial")
"""The states of cells that are not yet what they will be."""


def size_order(size: int | str) -> float:
    """Sort key of sizes: numbers first, `all` last."""
    return math.inf if size == "all" else float(size)


def _state(cell: dict[str, Any], attempts: list[Record], planned: int) -> tuple[str, str, str]:
    """One word, the counts of statuses, and the distinct causes."""
    counts = Counter(r["status"] for r in attempts)
    if planned > len(attempts):
        counts["missing"] = planned - len(attempts)
    causes = list(dict.fromkeys(str(r.get("cause") or "no cause recorded") for r in attempts if r["status"] != "ok"))
    statuses = " ".join(f"{status}={count}" for status, count in sorted(counts.items()))
    failed = [status for status, _ in counts.most_common() if status not in ("ok", "missing")]
    if cell["state"] == "not_applicable":
        return "not_applicable", "", str(cell.get("reason") or "")
    if counts["ok"]:
        return ("ok" if counts["ok"] >= planned else "partial"), statuses, "; ".join(causes)
    if failed:
        return failed[0], statuses, "; ".join(causes)
    return ("missing" if cell["state"] == "planned" else cell["state"]), statuses, str(cell.get("reason") or "")


BASELINES = {
    "majority": "majority class",
    "mean": "mean value",
    "tf-idf": "TF-IDF, linear",
    "unigram": "unigram frequencies",
    "copy": "copy of the source",
    "lead": "first sentences",
}
"""What takes no model, or no pretraining, by its name in a record, in the order in which tables have them. One that is
not named here goes by its own name, after these."""


def _mean(values: Sequence[float | None]) -> float:
    known = [float(v) for v in values if v is not None]
    return math.fsum(known) / len(known) if known else math.nan


def _fact(attempts: list[Record], key: Literal["train_examples", "validation_examples", "test_examples"]) -> float:
    return _mean([r.get("facts", {}).get(key) for r in attempts])


def baselines(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """The columns of those baselines that some of the rows have, and what they are called."""
    columns = [name for name in frame.columns if name.startswith(BASELINE) and frame[name].notna().any()]
    return [(name, BASELINES.get(name.removeprefix(BASELINE), name.removeprefix(BASELINE))) for name in columns]


def baseline_means(found: Sequence[Mapping[str, ByName | None]], metric: str) -> dict[str, float]:
    """The mean score of each baseline. found: of each record, {baseline: {metric: value}}."""
    names = {name: None for one in found for name in one}
    return {name: _mean([(one.get(name) or {}).get(metric) for one in found]) for name in names}


def spread(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows with a column for each baseline that one of them has, where `baselines` stood."""
    known = {name for row in rows for name in row["baselines"]}
    order = [name for name in BASELINES if name in known] + sorted(known - BASELINES.keys())
    for row in rows:
        found = row["baselines"]
        yield _replaced(row, "baselines", {BASELINE + name: found.get(name, math.nan) for name in order})


def _replaced(row: dict[str, Any], name: str, columns: dict[str, Any]) -> dict[str, Any]:
    """A row with other columns in the place of one."""
    changed: dict[str, Any] = {}
    for key, value in row.items():
        changed |= columns if key == name else {key: value}
    return changed


def _tuned(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with what was tuned in words, and a column of numbers for each parameter that one of them has."""
    known = sorted({name for row in rows for name in row["tuned"]})

    def columns(found: dict[str, float]) -> dict[str, Any]:
        words = " ".join(f"{name}={value:g}" for name, value in sorted(found.items()))
        return {"tuned": words} | {f"tuned_{name}": float(found.get(name, math.nan)) for name in known}

    return [_replaced(row, "tuned", columns(row["tuned"])) for row in rows]


def _templates(ok: list[Record], metric: str) -> dict[str, float]:
    """How many templates a score is the mean over, and the lowest and the highest score of one."""
    found = [r["scores"].get("templates", {}).get(metric) or [] for r in ok]
    values = [value for one in found for value in one] or [math.nan]
    return {"templates": max(map(len, found), default=0), "template_low": min(values), "template_high": max(values)}


def _kind(attempts: list[Record], name: str) -> str:
    """The kind of a regime as its trials say it; its name where none has run."""
    return next((r["trial"]["regime"]["kind"] for r in attempts if "regime" in r["trial"]), name)


def _row(results: Results, place: Place) -> tuple[dict[str, Any], Sample | None]:
    cell, environment, attempts, tuning = place
    ok = scored(place)
    state, statuses, cause = _state(cell, attempts, cell["seeds"])
    metric = str(ok[0]["scores"]["metric"]) if ok else ""
    found = {"labelled": cell["size"] != 0, "unusable": results.unusable}
    sample = collect(results.folder, ok, metric, **found) if ok else None
    interval = sample.interval() if sample else None
    labels = 0.0 if cell["size"] == 0 else _fact(ok, "train_examples") + _fact(ok, "validation_examples")
    row = {
        "suite": results.name,
        "task": cell["task"],
        "model": cell["model"],
        "regime": cell["regime"],
        "kind": _kind([*attempts, *tuning], cell["regime"]),
        "size": cell["size"],
        "noise": float(cell["noise"]),
        "environment": environment,
        "labels": float(cell["size"]) if cell["size"] != "all" else labels,
        "state": state,
        "metric": metric,
        "lower_is_better": lower_is_better(metric),
        "mean": interval.mean if interval else math.nan,
        "low": interval.low if interval else math.nan,
        "high": interval.high if interval else math.nan,
        "seed_sd": interval.seed_sd if interval else math.nan,
        "interval": sample.basis if sample else "",
        **_templates(ok, metric),
        "seeds": len(ok),
        "seeds_planned": cell["seeds"],
        "compared": False,
        "best": False,
        "not_distinguishable": False,
        "statuses": statuses,
        "cause": cause,
        "baselines": baseline_means([r["scores"].get("baselines", {}) for r in ok], metric),
        "test_examples": _fact(ok, "test_examples"),
        "tuned": cell["tuned"],
        "on_edge": bool(cell["on_edge"]),
        "tuning_seconds": costs.total_seconds(tuning),
        **costs.summarise(ok),
    }
    return row, sample


def _compared_at(cells: list[dict[str, Any]], cell: dict[str, Any]) -> list[tuple[int | str, float]]:
    """The sizes and noise rates a cell stands at: its own, or all of its task and model where it sees no label."""
    own = [(cell["size"], float(cell["noise"]))]
    if cell["size"] != 0:
        return own
    places = [
        (c["size"], float(c["noise"]))
        for c in cells
        if (c["task"], c["model"]) == (cell["task"], cell["model"]) and c["size"] != 0
    ]
    return list(dict.fromkeys(places)) or own


def _rows(results: Results) -> Iterator[tuple[dict[str, Any], Sample | None]]:
    for place in places(results):
        row, sample = _row(results, place)
        for size, noise in _compared_at(results.plan["cells"], place.cell):
            yield {**row, "size": size, "noise": noise}, sample


def _paired(group: list[tuple[dict[str, Any], Sample]]) -> list[tuple[dict[str, Any], Sample]]:
    """Those with the same seeds: the most that one of them has. What sees no label has no seed and goes with any."""
    sets = Counter(sample.seeds for _, sample in group if sample.labelled)
    seeds = max(sets, key=lambda seeds: (len(seeds), sets[seeds])) if sets else ()
    return [(row, sample) for row, sample in group if not sample.labelled or sample.seeds == seeds]


def _compare(rows: list[tuple[dict[str, Any], Sample | None]]) -> None:
    """Mark what is compared, and how it came out. One alone is not the best while there are others to come."""
    groups: dict[tuple[Any, ...], list[tuple[dict[str, Any], Sample | None]]] = {}
    for row, sample in rows:
        groups.setdefault(tuple(row[key] for key in KEYS), []).append((row, sample))
    for group in groups.values():
        paired = _paired([(row, sample) for row, sample in group if sample is not None])
        for row, _ in paired:
            row["compared"] = True
        if len(paired) > 1 or (paired and not any(r["state"] in UNDONE and not r["compared"] for r, _ in group)):
            best, best_sample = max(
                paired, key=lambda one: -one[0]["mean"] if one[0]["lower_is_better"] else one[0]["mean"]
            )
            best["best"] = True
            for row, sample in paired:
                row["not_distinguishable"] = row is not best and best_sample.difference(sample).includes_zero


def cells(results: Sequence[Results]) -> pd.DataFrame:
    """The tidy frame, in the order of the plans.

    A regime that sees no label stands at every size and noise rate of its task and model, with `labels` 0. `compared`
    rows are those of the rows equal in `KEYS` that have the same seeds, the most that one of them has; `best` is the
    best mean of several, the lowest where `lower_is_better`; `not_distinguishable` rows have a 95 % interval of the
    paired difference to it that includes 0. `tuned_…` columns hold what tuning chose, `baseline_…` columns, as many as
    there are baselines, their scores.
    """
    rows = [entry for one in results for entry in _rows(one)]
    _compare(rows)
    return pd.DataFrame(spread(_tuned([row for row, _ in rows])))
