"""How each cell was set up, as its trials' records, the plan and the lock say it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pandas as pd

from bench import plugins
from bench.analysis.results import Place, Results
from bench.analysis.tuning import chosen
from bench.errors import StoreError, UsageError
from bench.planning import lock as locks
from bench.store import records
from bench.store.record import Record
from bench.suite.trial import Json

PLACE = ("task", "model", "regime", "size")
TRAINING = (
    *("batch_size", "schedule", "warmup", "weight_decay", "clip", "dropout"),
    *("precision", "evaluation_batch_size"),
)
"""What `trial.training` may hold, a column each."""


def lock_of(results: Results) -> tuple[Json, list[str]]:
    """The folder's lock, or an empty one and a sentence why it cannot be read."""
    try:
        return locks.read(results.folder), []
    except StoreError as error:
        return {section: {} for section in locks.SECTIONS}, [f"No lock to tell of: {error}."]


def remarks(lock: Json) -> Iterator[str]:
    """What the lock has to say of data and models, a sentence each."""
    for name, entry in lock["tasks"].items():
        summary = entry.get("summary")
        yield from (f"{name}: {one}" for one in _list(summary.get("remarks") if isinstance(summary, dict) else None))
    for name, entry in lock["models"].items():
        yield from (f"{name}: {one}" for one in _list(entry.get("remarks")))


def setup(results: Results, lock: Json) -> pd.DataFrame:
    """One row per task, model, regime and size of the plan, whatever its noise. Dictionaries and lists are as records
    hold them; what no trial has told yet is None."""
    anywhere = records.latest(results.records)
    cells: dict[tuple[Any, ...], list[Json]] = {}
    for cell in results.plan["cells"]:
        cells.setdefault(tuple(cell[key] for key in PLACE), []).append(cell)
    rows = []
    for place, own in cells.items():
        tuning = list(dict.fromkeys(trial for cell in own for trial in cell["tuning"]))
        reported = list(dict.fromkeys(trial for cell in own for trial in cell["reported"]))
        told = [anywhere[trial] for trial in (*reported, *tuning) if trial in anywhere]
        trial: Any = told[0]["trial"] if told else None
        rows.append({
            "suite": results.name,
            **dict(zip(PLACE, place, strict=True)),
            "state": own[0]["state"],
            **_regime(own[0], trial, told, [anywhere[trial] for trial in tuning if trial in anywhere]),
            "budget": _at(trial, "budget") or None,
            **{name: _at(trial, "training", name) for name in TRAINING},
            "seeds": _seeds(results, reported),
            "tuning_seeds": _seeds(results, tuning),
            "validation": _at(trial, "validation"),
            **_task(trial, told, lock["tasks"].get(place[0]) or {}),
            **_prompt(trial, told),
            **_model(trial, told),
        })  # fmt: skip
    return pd.DataFrame(rows, dtype=object)


def _regime(cell: Json, trial: Any, told: Sequence[Record], tuned: Sequence[Record]) -> Json:
    kind = _at(trial, "regime", "kind")
    own = {key: _at(trial, "regime", key) for key in ("pretraining", "way")}
    parameters = {**_dict(_at(trial, "regime", "parameters")), **{k: v for k, v in own.items() if v is not None}}
    choice = chosen(Place(cell, "", [r for r in told if r["trial"]["id"] in cell["reported"]], []))
    value = next(iter(choice.tuned.values()), None)
    found = [(key, v) for r in tuned for key, v in _dict(_at(r["trial"], "tuned")).items() if _number(v)]
    tried = sorted({v for _, v in found} | {v for one in cell.get("choices", ()) for v in one["values"]})
    tried = tried if len(tried) > 1 or found else []
    name = choice.parameter or (found[0][0] if found else (cell.get("range") or {}).get("parameter"))
    low, high, default = _range(cell, kind, name, tried, value)
    return {
        "kind": kind,
        "parameters": parameters or None,
        "tuned": name,
        "low": low,
        "high": high,
        "default_range": default,
        "tried": tried or None,
        "start": (cell.get("range") or {}).get("start"),
        "tuning_trials": choice.trials,
        "within": any(_at(r, "facts", "tuned") for r in told),
        "chosen": value,
        "choices": choice.values or None,
        "on_edge": choice.edges > 0,
        "edge_seeds": choice.edges,
    }


def _range(
    cell: Json, kind: Any, name: Any, tried: Sequence[float], chosen: float | None
) -> tuple[float | None, float | None, bool | None]:
    """The ends of what tuning searches, and whether they are the regime's own. Plans of earlier versions do not say
    it: there it is what was tried, for its ends always are; or the default whose middle was taken."""
    if found := cell.get("range"):
        return found["low"], found["high"], found["default"]
    try:
        own = plugins.load("regimes", kind).TUNED if isinstance(kind, str) else None
    except UsageError:  # another package's, that is not installed here
        own = None
    if tried:
        ends = (min(tried), max(tried))
        return *ends, own is not None and ends == (own.low, own.high)
    if chosen is None:
        return None, None, None
    middle = (
        own is not None and own.parameter == name and math.isclose(chosen, math.sqrt(own.low * own.high), rel_tol=1e-5)
    )
    return (own.low, own.high, True) if own is not None and middle else (chosen, chosen, False)


def _task(trial: Any, told: Sequence[Record], lock: Json) -> Json:
    parameters = _dict(_at(trial, "task", "parameters"))
    labels = parameters.get("labels") or lock.get("labels") or None
    return {
        "task_kind": _at(trial, "task", "kind"),
        "data": {"source": _at(trial, "task", "data", "source"), **_dict(_at(trial, "task", "data", "parameters"))},
        "data_fingerprint": _at(trial, "task", "data", "fingerprint") or lock.get("fingerprint"),
        "columns": _at(trial, "task", "columns"),
        "splits": _at(trial, "task", "splits"),
        "also_test": _at(trial, "task", "also_test"),
        "after": _at(trial, "locations", "after", "name"),
        "task_parameters": {k: v for k, v in parameters.items() if k not in ("labels", "templates")} or None,
        "classes": labels,
        "pool": _pool(lock),
        **{f"{part}_examples": _first(told, "facts", f"{part}_examples") for part in ("train", "validation", "test")},
        "metric": _first(told, "scores", "metric"),
        "signatures": _first(told, "scores", "signatures"),
    }


def _pool(lock: Json) -> int | None:
    """How many examples the training split has."""
    classes = _dict(lock.get("classes")).get("train")
    counts = [n for n in _list(classes) if isinstance(n, int)]
    return sum(counts) if counts else None


def _prompt(trial: Any, told: Sequence[Record]) -> Json:
    """What a model was asked with; records of earlier versions do not say it, but where the suite did."""
    keys = ("method", "templates", "template", "chat_template", "labels", "label_map", "shots", "decoding")
    found = {{"labels": "label_words"}.get(key, key): _first(told, "facts", key) for key in keys}
    if found["method"] is not None:
        for key, own in (("templates", "templates"), ("label_words", "labels")):
            found[key] = found[key] or _at(trial, "task", "parameters", own)
    return found


def _model(trial: Any, told: Sequence[Record]) -> Json:
    totals = [n for r in told if _number(n := _at(r, "costs", "parameters", "total"))]
    return {
        "weights": {"source": _at(trial, "model", "source"), **_dict(_at(trial, "model", "parameters"))},
        "model_fingerprint": _at(trial, "model", "fingerprint"),
        "model_parameters": min(totals, default=None),
        "pooling": _first(told, "facts", "pooling"),
        "bench": sorted({str(r["bench"]) for r in told if r.get("bench")}) or None,
    }


def _seeds(results: Results, trials: Iterable[str]) -> list[int] | None:
    known = (results.plan["trials"][trial]["seed"] for trial in trials if trial in results.plan["trials"])
    return sorted(set(known)) or None


def _first(told: Iterable[Record], *path: str) -> Any:
    """The first that a record has at this place."""
    return next((value for record in told if (value := _at(record, *path)) is not None), None)


def _at(value: Any, *path: str) -> Any:
    """What lies there, or None: records hold of a trial whatever their version wrote."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) < 1e300


def _dict(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
