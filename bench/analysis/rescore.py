"""Another metric, or a corrected one, from the predictions that were kept; nothing runs."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numpy as np

from bench import plugins
from bench.analysis import answers
from bench.analysis.results import Results, scored
from bench.contracts import Metric
from bench.errors import UsageError
from bench.store import paths, rescored
from bench.store.record import Record
from bench.store.rescored import Rescored

Keep = Callable[[dict[str, str]], bool]
"""Whether the trials of an axis each, as text, are wanted."""


@dataclass(frozen=True)
class Rescoring:
    """What one call computed for one suite.

    file: what was written, None where there was nothing to write; rows: a dict for each score (suite, task, model,
    regime, size, noise, seed, environment, on, metric, score, recorded); refused: a line for each file of predictions
    that gives no score, and why; others: a line for each task whose answers the metric does not take.
    """

    suite: str
    file: Path | None
    rows: list[dict[str, Any]]
    refused: list[str]
    others: list[str]


@dataclass(frozen=True)
class _Kept:
    """One file of predictions, with its cell and its record. on: the also_test set, empty for the test split."""

    row: dict[str, Any]
    record: Record
    on: str
    path: Path


def rescore(results: Sequence[Results], metric: str, keep: Keep) -> list[Rescoring]:
    """Score what is kept with a metric, and keep that in a folder `rescored` beside the records.

    Raises UsageError where there is no such metric, where nothing is wanted, or where nothing that is wanted can be
    scored by it; StoreError.
    """
    plugin: Metric = plugins.load("metrics", metric)
    kept = [(one, list(_kept(one, keep))) for one in results]
    named = ", ".join(str(one.folder) for one in results)
    if not any(files for _, files in kept):
        raise UsageError(f"{named}: holds no score of what is asked for; `bench status` shows what there is")
    plugin.check()
    found = [_suite(one, files, metric, plugin) for one, files in kept]
    if not any(entries for _, entries in found):
        lines = [line for one, _ in found for line in (*one.refused, *one.others)]
        raise UsageError("\n".join([f"{named}: nothing can be scored by {metric}", *lines[:20]]))
    return [
        replace(one, file=rescored.write(of.folder, entries)) if entries else one
        for (one, entries), of in zip(found, results, strict=True)
    ]


def _kept(results: Results, keep: Keep) -> Iterator[_Kept]:
    seen = set()
    for place in results.places:
        cell = place.cell
        names = {axis: cell[axis] for axis in ("task", "model", "regime", "size", "noise")}
        for record in scored(place):
            trial, attempt, seed = record["trial"]["id"], str(record.get("attempt")), int(record["trial"]["seed"])
            said = {**{axis: str(value) for axis, value in names.items()}, "noise": f"{cell['noise']:g}"}
            if (trial, attempt) in seen or not keep({**said, "seed": str(seed)}):
                continue
            seen.add((trial, attempt))
            row = {"suite": results.name, **names, "seed": seed, "environment": place.environment}
            for on in ("", *record["scores"].get("also_test", {})):
                yield _Kept(row, record, on, paths.predictions(results.folder, trial, attempt, on))


def _suite(results: Results, files: Sequence[_Kept], metric: str, plugin: Metric) -> tuple[Rescoring, list[Rescored]]:
    rows: list[dict[str, Any]] = []
    refused: list[str] = []
    entries: list[Rescored] = []
    left_out: dict[tuple[str, str], int] = {}
    signature = plugin.signature()
    for one in files:
        try:
            data = answers.read(one.path)
            if data.kind != plugin.TAKES:
                left_out[one.row["task"], data.kind] = left_out.get((one.row["task"], data.kind), 0) + 1
                continue
            values = [_finite(plugin.score(data.targets, given)) for given in data.answers]
            entry = _entry(one, metric, values, plugin.VERSION, signature)
        except FileNotFoundError:
            refused.append(f"{one.path}: there are no predictions; `bench run --rerun all` with --only makes them anew")
            continue
        except ValueError as error:
            refused.append(f"{one.path}: {error}; `bench check` lists what is damaged")
            continue
        shown = {"on": one.on, "metric": metric, "score": entry["score"], "recorded": entry["recorded"]}
        rows.append({**one.row, **shown})
        entries.append(entry)
    others = [
        f"task {task}: its answers are {kind}, and {metric} takes {plugin.TAKES}; {count} files left out"
        for (task, kind), count in left_out.items()
    ]
    return Rescoring(results.name, None, rows, refused, others), entries


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("gives a score that is no finite number")
    return float(value)


def _entry(one: _Kept, metric: str, values: list[float], number: int, signature: str | None) -> Rescored:
    scores = one.record["scores"]
    before = scores.get("also_test", {}).get(one.on, {}) if one.on else scores["test"]
    return {
        "trial": one.record["trial"]["id"],
        "attempt": str(one.record.get("attempt")),
        "on": one.on,
        "metric": metric,
        "score": float(np.mean(values)),
        "templates": values,
        "recorded": before.get(metric),
        "version": number,
        "signature": signature,
        "bench": version("retrain-bench"),
        "predictions": hashlib.sha256(one.path.read_bytes()).hexdigest(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def with_rescored(results: Results) -> Results:
    """The same results whose records hold too what `bench rescore` computed from them since, the newest of each metric;
    of a metric that a record has itself, the newer value counts. Raises StoreError."""
    newest: dict[tuple[str, str], dict[tuple[str, str], Rescored]] = {}
    for entry in rescored.read(results.folder).entries:
        newest.setdefault((entry["trial"], entry["attempt"]), {})[entry["on"], entry["metric"]] = entry
    changed = [
        _with(record, found)
        if record["status"] == "ok" and (found := newest.get((record["trial"]["id"], str(record.get("attempt")))))
        else record
        for record in results.records
    ]
    return replace(results, records=changed) if newest else results


def _with(record: Record, found: dict[tuple[str, str], Rescored]) -> Record:
    scores: Any = {**record["scores"]}
    for (on, metric), entry in found.items():
        if on and on in scores.get("also_test", {}):
            scores["also_test"] = {**scores["also_test"], on: {**scores["also_test"][on], metric: entry["score"]}}
        elif not on and "test" in scores:
            scores["test"] = {**scores["test"], metric: entry["score"]}
            if len(entry["templates"]) > 1:
                scores["templates"] = {**scores.get("templates", {}), metric: entry["templates"]}
    return cast(Record, {**record, "scores": scores, "rescored": sorted({metric for _, metric in found})})
