"""From results folders to the tidy frame: one row per task, model, regime, size, noise rate and environment."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import pandas as pd

from bench.analysis import costs
from bench.analysis import tuning as tunings
from bench.analysis.cell_candidates import basis, degenerate, failed, overlap
from bench.analysis.column import BASELINE as BASELINE
from bench.analysis.column import Column, built
from bench.analysis.metric_facts import facts
from bench.analysis.metric_facts import lower_is_better as lower_is_better
from bench.analysis.results import KEYS, Place, scored
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
    "simple-features": "edges and colours, linear",
    "mean-mask": "mean mask",
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


def _row(results: Results, place: Place) -> dict[str, Any]:
    cell, environment, attempts, tuning = place
    ok, choice = scored(place), tunings.chosen(place)
    state, statuses, cause = _state(cell, attempts, cell["seeds"])
    metric = str(ok[0]["scores"]["metric"]) if ok else ""
    labels = 0.0 if cell["size"] == 0 else _fact(ok, "train_examples") + _fact(ok, "validation_examples")
    return {
        "suite": results.name,
        "task": cell["task"],
        "model": cell["model"],
        "regime": cell["regime"],
        "kind": _kind([*attempts, *tuning], cell["regime"]),
        "size": cell["size"],
        "noise": float(cell["noise"]),
        **({"input_noise": results.noise(cell["task"])} if results.plan.get("input_noise") else {}),
        "environment": environment,
        "labels": float(cell["size"]) if cell["size"] != "all" else labels,
        "state": state,
        "metric": metric,
        "lower_is_better": facts(metric, ok).lower_is_better,
        **{"mean": math.nan, "low": math.nan, "high": math.nan, "seed_sd": math.nan, "interval": ""},
        **_templates(ok, metric),
        "seeds": len(ok),
        "seeds_planned": cell["seeds"],
        "compared": False,
        "best": False,
        "could_be_best": False,
        "failed": failed(place),
        "degenerate": sum(map(degenerate, ok)),
        "overlap": overlap(results, place),
        "statuses": statuses,
        "cause": cause,
        "best_baselines": "",
        "could_be_best_baselines": "",
        "baselines": baseline_means([r["scores"].get("baselines", {}) for r in ok], metric),
        "test_examples": _fact(ok, "test_examples"),
        "tuned": choice.tuned,
        "on_edge": choice.edges > 0,
        "edge_seeds": choice.edges,
        "tuned_seeds": choice.apart,
        "tuning_trials": choice.trials,
        "tuning_seconds": tunings.seconds(tuning),
        "tuning_seconds_a_seed": tunings.seconds(tuning) / max(choice.apart, 1),
        **costs.summarise(ok),
    }


def _rows(results: Results) -> list[tuple[dict[str, Any], Place]]:
    """A row for each size and noise rate a cell stands at: its own, or all of its task and model where it sees no
    label."""
    labelled: dict[tuple[str, str], dict[tuple[int | str, float], None]] = {}
    for cell in results.plan["cells"]:
        if cell["size"] != 0:
            labelled.setdefault((cell["task"], cell["model"]), {})[cell["size"], float(cell["noise"])] = None
    found = []
    for place in results.places:
        row, own = _row(results, place), {(place.cell["size"], float(place.cell["noise"])): None}
        all_of_them = labelled.get((row["task"], row["model"])) or own
        at = own if place.cell["size"] != 0 else all_of_them
        found += [({**row, "size": size, "noise": noise}, place) for size, noise in at]
    return found


def _tried(group: list[tuple[dict[str, Any], Place]]) -> None:
    """Mark what is compared: what was tried with the same seeds, the most that one of them was, whether a seed failed
    or not. What sees no label has no seed and goes with any."""
    known = [(row, place) for row, place in group if row["seeds"]]
    tried = {id(row): tuple(sorted(int(r["trial"]["seed"]) for r in place.attempts)) for row, place in known}
    sets = Counter(tried[id(row)] for row, place in known if place.cell["size"] != 0)
    seeds = max(sets, key=lambda seeds: (len(seeds), sets[seeds])) if sets else ()
    for row, place in known:
        row["compared"] = place.cell["size"] == 0 or tried[id(row)] == seeds


def _judge(column: Column, group: list[dict[str, Any]]) -> None:
    """Fill in means with intervals, and mark the best. One alone is not the best while there are others to come."""
    known = {row["regime"]: row for row in group if row["metric"] == column.metric}
    for one in column.candidates:
        if one.name in known and one.kind != "baseline":
            interval, several = column.interval(one.name), len(one.scores) > 1
            known[one.name] |= {
                **{"mean": interval.mean, "low": interval.low, "high": interval.high, "interval": basis(one)},
                "seed_sd": float(one.scores.std(ddof=1)) if several else math.nan,
            }
    compared = [one for one in column.candidates if one.complete]
    regimes = [one for one in compared if one.kind != "baseline"]
    waiting = any(row["state"] in UNDONE and not row["compared"] for row in group)
    if not regimes or (len(regimes) == 1 and waiting):
        return
    best, left = max(column.sign * one.mean for one in compared), column.could_be_best()
    first = {one.name for one in compared if column.sign * one.mean == best}
    for one in regimes:
        known[one.name] |= {"best": one.name in first, "could_be_best": one.name in left}
    others = [one.name for one in compared if one.kind == "baseline"]
    for row in known.values():
        row["best_baselines"] = " ".join(name for name in others if name in first)
        row["could_be_best_baselines"] = " ".join(name for name in others if name in left)


class Tidy(NamedTuple):
    """The tidy frame, and the columns that its rows were judged in."""

    frame: pd.DataFrame
    columns: list[Column]


def cells(results: Sequence[Results]) -> pd.DataFrame:
    """The tidy frame alone."""
    return tidy(results).frame


def columns(results: Sequence[Results]) -> list[Column]:
    """Every column of which some regime has a score, in the order of the plans."""
    return tidy(results).columns


def tidy(results: Sequence[Results]) -> Tidy:
    """The tidy frame, in the order of the plans.

    A regime that sees no label stands at every size and noise rate of its task and model, with `labels` 0. `compared`
    rows are those of the rows equal in `KEYS` that were tried with the same seeds, the most that one of them was;
    `best` is the best mean of several, baselines among them, the lowest where `lower_is_better`, and all that have it;
    `could_be_best` rows are beaten by nobody (`Column.could_be_best`). `failed` seeds ended without a score,
    `degenerate` ones gave every test example the same answer; `overlap` is the part of its labels that a seed shares
    with another. `tuned_…` columns hold the median of what the seeds' tuning chose, `edge_seeds` of how many seeds that
    is on the edge of what was tried, `tuning_trials` and `tuning_seconds` what it took in all and `tuned_seeds` for how
    many seeds apart, `tuning_seconds_a_seed` the one by the other; `baseline_…` columns, as many as there are
    baselines, their scores; `best_baselines` and `could_be_best_baselines` name those of them that are.
    """
    rows: list[dict[str, Any]] = []
    judged: list[Column] = []
    for one in results:
        entries = _rows(one)
        groups: dict[tuple[Any, ...], list[tuple[dict[str, Any], Place]]] = {}
        for row, place in entries:
            groups.setdefault(tuple(row[key] for key in KEYS), []).append((row, place))
        for group in groups.values():
            _tried(group)
            for column in built(one, group):
                _judge(column, [row for row, _ in group])
                judged.append(column)
        rows += [row for row, _ in entries]
    return Tidy(pd.DataFrame(spread(_tuned(rows))), judged)
