"""What `bench plan`, `bench status` and `bench list` print, as plain data."""

from __future__ import annotations

import json
import shlex
import types
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from bench import plugins
from bench.errors import StoreError
from bench.runner.plan import GOOD, INFRASTRUCTURE, Cell, Plan
from bench.runner.progress import printable, span
from bench.store import form, paths, records, schema
from bench.suite.trial import Json, Trial

STATES = ("trials", "done", "failed", "missing", "waiting")


def summarise(plan: Plan, results: Path, smoke: bool) -> Json:
    """Counts per axis and in all, what cannot run and why, and the time what is missing should take."""
    folder = results / (f"{plan.suite.name}-smoke" if smoke else plan.suite.name)
    read = records.read(folder)
    latest = records.latest(read.records)
    axes: dict[str, dict[str, Counter[str]]] = {axis: {} for axis in ("task", "model", "regime", "size", "noise")}
    whole: Counter[str] = Counter()
    seen: set[str] = set()
    missing: list[Trial] = []
    unresolved = 0
    for cell in plan.cells:
        counts: Counter[str] = Counter()
        for trial in (*cell.tuning, *cell.reported):
            if trial.id in seen:
                continue
            seen.add(trial.id)
            state = _state(trial, latest)
            counts[state] += 1
            if state == "missing":
                missing.append(trial)
        if cell.state in ("waiting", "unresolved"):
            counts["waiting" if cell.state == "waiting" else "missing"] += cell.seeds
        if cell.state == "failed":
            counts["failed"] += cell.seeds
        unresolved += cell.state == "unresolved"
        counts["trials"] = sum(counts.values())
        whole += counts
        values = {**vars(cell.names), "size": str(cell.size), "noise": f"{cell.noise:g}"}
        for axis, rows in axes.items():
            rows.setdefault(values[axis], Counter()).update(counts)
    notes = _reasons(plan.cells)
    if whole["failed"]:
        where = "" if results == Path("results") else f" --results {shlex.quote(str(results))}"
        again = f"bench run {shlex.quote(str(plan.suite.path))}{where}{' --smoke' if smoke else ''} --rerun failed"
        notes.append(f"{whole['failed']} trials have failed; `{again}` tries them again")
    if unresolved:
        notes.append(f"{unresolved} cells are unresolved: `bench lock` or `bench run` will say what their names mean; "
                     "tuning trials are not counted until then")  # fmt: skip
    else:
        notes.append(_estimate(missing, whole["waiting"], latest.values()))
    notes += [f"damaged line, skipped: {line}" for line in read.damaged]
    return {
        "suite": plan.suite.name,
        "trials": {state: whole[state] for state in STATES},
        "axes": {axis: {v: {s: c[s] for s in STATES} for v, c in rows.items()} for axis, rows in axes.items()},
        "notes": notes,
    }


def _reasons(cells: Iterable[Cell]) -> list[str]:
    """Why cells cannot run, a line for all models and regimes of a task that share reason and sizes."""
    sizes: dict[tuple[str, str, str, str], dict[str, None]] = defaultdict(dict)
    for cell in cells:
        if cell.reason:
            sizes[cell.names.task, cell.reason, cell.names.model, cell.names.regime][str(cell.size)] = None
    regimes: dict[tuple[str, str, str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (task, reason, model, regime), of in sizes.items():
        regimes[task, reason, model, tuple(of)].append(regime)
    models: dict[tuple[str, str, tuple[str, ...], tuple[str, ...]], list[str]] = defaultdict(list)
    for (task, reason, model, of_sizes), of_regimes in regimes.items():
        models[task, reason, of_sizes, tuple(of_regimes)].append(model)
    return [
        f"{task} · {', '.join(of_models)} · {', '.join(of_regimes)}"
        + ("" if of_sizes == ("0",) else f" · size {', '.join(of_sizes)}")
        + f": {printable(reason)}"
        for (task, reason, of_sizes, of_regimes), of_models in models.items()
    ]


def status_of(results: Path) -> list[Json]:
    """How far each suite below (or at) a folder is. Raises UsageError where there is none."""
    found = []
    for folder in paths.suites(results):
        read = records.read(folder)
        latest = records.latest(read.records)
        plan = _kept_plan(paths.plan(folder))
        planned = {id_: latest.get(id_) for id_ in plan["trials"]} if plan["trials"] else dict(latest)
        waiting = sum(cell["seeds"] for cell in plan["cells"] if cell["state"] in ("waiting", "unresolved", "failed"))
        statuses = Counter(record["status"] for record in planned.values() if record)
        causes = Counter(
            f"{r['status']}: {printable(r.get('cause'))}" for r in planned.values() if r and r["status"] != "ok"
        )
        found.append({
            "suite": folder.name,
            "planned": len(planned) + waiting,
            "done": sum(1 for r in planned.values() if r and r["status"] not in INFRASTRUCTURE),
            "statuses": dict(sorted(statuses.items())),
            "failures": [f"{count} × {cause}" for cause, count in causes.most_common()],
            "damaged": read.damaged,
        })  # fmt: skip
    return found


def _kept_plan(path: Path) -> Json:
    """What the last run planned; nothing where none got that far. Raises StoreError."""
    if not path.exists():
        return {"trials": {}, "cells": []}
    try:
        plan = schema.read(path)
        form.check(form.Plan, plan)
        return plan
    except (OSError, ValueError, TypeError) as error:
        raise StoreError(f"{path}: not a plan; `bench run` writes it anew") from error


def describe(kind: str, name: str) -> Json:
    """A plugin's name, one-line summary and parameters; of a regime also what is tuned, over which range."""
    module = plugins.load(kind, name)
    tuned = getattr(module, "TUNED", None)
    schema = getattr(module, "Parameters", None)
    fields = schema.model_fields if schema else {}
    return {
        "name": name,
        "summary": (module.__doc__ or "").strip().splitlines()[0],
        "parameters": [
            {
                "name": field,
                "type": _type(info.annotation),
                "description": info.description or "",
                **({} if info.is_required() else {"default": _plain(info.get_default(call_default_factory=True))}),
            }
            for field, info in fields.items()
        ],
        **({"tuned": tuned._asdict()} if tuned else {}),
    }


def _state(trial: Trial, latest: dict[str, Json]) -> str:
    record = latest.get(trial.id)
    if record is None or record["status"] in INFRASTRUCTURE:
        return "missing"
    return "done" if record["status"] in GOOD else "failed"


def _estimate(missing: list[Trial], waiting: int, past: Iterable[Json]) -> str:
    """From the mean time of past records of the same task, model and regime; else of all."""
    seconds: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for record in past:
        if record["status"] == "ok":
            names, total = record["trial"]["names"], record["costs"]["seconds"]["total"]
            seconds[names["task"], names["model"], names["regime"]].append(total)
            seconds[()].append(total)
    if not missing and not waiting:
        return "nothing is missing"
    if not seconds:
        return "no records yet to estimate the time from; `bench run --smoke` shows that everything works"
    mean = {key: sum(values) / len(values) for key, values in seconds.items()}
    keys = [(t.names.task, t.names.model, t.names.regime) for t in missing]
    total = sum(mean.get(key, mean[()]) for key in keys) + waiting * mean[()]
    return f"estimated time: {span(total)} of trials, shared by as many devices as run them"


def _type(annotation: Any) -> str:
    """A type as a suite's author reads it."""
    if get_origin(annotation) in (Union, types.UnionType):
        return " | ".join("null" if part is type(None) else _type(part) for part in get_args(annotation))
    if get_origin(annotation) is not None:
        name = getattr(get_origin(annotation), "__name__", str(get_origin(annotation)))
        parts = ", ".join(
            repr(p) if isinstance(p, str) else "…" if p is ... else _type(p) for p in get_args(annotation)
        )
        return _type(get_args(annotation)[0]) if name == "Annotated" else f"{name}[{parts}]"
    return getattr(annotation, "__name__", str(annotation))


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))
