"""What `bench plan`, `bench status` and `bench list` print, as plain data."""

from __future__ import annotations

import ast
import inspect
import json
import shlex
import types
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from bench import plugins
from bench.errors import StoreError
from bench.planning import lock, trial_counts
from bench.planning.estimate import Estimator, forecast, span
from bench.planning.plan import Cell, Plan, build
from bench.printable import printable
from bench.store import hold, paths, records, validation
from bench.store import schema_version as schema
from bench.store.record import Record
from bench.suite.trial import PROTOCOL, Json


def summarise(plan: Plan, results: Path, smoke: bool) -> Json:
    """Counts per axis and in all, what cannot run and why, and the time what is missing should take."""
    folder = results / (f"{plan.suite.name}-smoke" if smoke else plan.suite.name)
    read = records.read(folder)
    latest = records.latest(read.records)
    tried = results / f"{plan.suite.name}-smoke"
    found, open_ = _foreseen(plan, folder, tried, latest, smoke)
    axes: dict[str, dict[str, Counter[str]]] = {axis: {} for axis in ("task", "model", "regime", "size", "noise")}
    whole: Counter[str] = Counter()
    cells = [{**one, "tunes": cell.tunes} for one, cell in zip(found.to_json()["cells"], found.cells, strict=True)]
    for cell, counts in zip(found.cells, trial_counts.tally(cells, latest), strict=True):
        whole += counts
        values = {**vars(cell.names), "size": str(cell.size), "noise": f"{cell.noise:g}"}
        for axis, rows in axes.items():
            rows.setdefault(values[axis], Counter()).update(counts)
    notes = reasons(found.cells)
    if old := older(latest.values(), plan):
        notes.append(old)
    if whole["failed"]:
        where = "" if results == Path("results") else f" --results {shlex.quote(str(results))}"
        again = f"bench run {shlex.quote(str(plan.suite.path))}{where}{' --smoke' if smoke else ''} --rerun failed"
        notes.append(f"{whole['failed']} trials have failed; `{again}` tries them again")
    if open_:
        notes.append(_open(found, open_))
    if not any(cell.state == "unresolved" for cell in found.cells):
        notes.append(forecast(found, latest, estimator(plan.suite.name, results, latest.values(), smoke=smoke)))
    notes += [f"damaged line, skipped: {line}" for line in read.damaged]
    return {
        "suite": folder.name,
        "trials": {state: whole[state] for state in trial_counts.STATES},
        "axes": {
            axis: {v: {s: c[s] for s in trial_counts.STATES} for v, c in rows.items()} for axis, rows in axes.items()
        },
        "notes": notes,
    }


def older(found: Iterable[Record], plan: Plan) -> str | None:
    """That there are results of an older protocol, which are not mixed with those of this one; None where there are
    none. Trials that see no label are the same in both."""
    known = plan.trials()
    count = sum(
        r["trial"]["id"] not in known and r["trial"].get("protocol", 1) < PROTOCOL and r["trial"].get("size") != 0
        for r in found
    )
    if not count:
        return None
    return (f"{count:,} results are of an older protocol, by which tuning used other labels than the budget's: what "
            "sees labels must run again, and `bench report` shows the old ones until something has")  # fmt: skip


def _foreseen(plan: Plan, folder: Path, tried: Path, latest: Mapping[str, Record], smoke: bool) -> tuple[Plan, int]:
    """The plan, what is not locked yet as the smoke run has found it; and how many cells are not locked."""
    unresolved = sum(cell.state == "unresolved" for cell in plan.cells)
    if not unresolved or smoke:
        return plan, unresolved
    own, other = lock.read(folder), lock.read(tried)
    both = {section: {**other[section], **own[section]} for section in lock.SECTIONS}
    known = {cell.place: cell for cell in build(plan.suite, both, latest).cells}
    return Plan(plan.suite, [known[cell.place] for cell in plan.cells]), unresolved


def _open(found: Plan, unresolved: int) -> str:
    """What is not certain before names have their meaning."""
    cells = f"{unresolved:,} cell{'s are' if unresolved > 1 else ' is'} unresolved"
    if any(cell.state == "unresolved" for cell in found.cells):
        return (f"{cells}: at most so many trials, tuning included, until `bench lock` or `bench run` has said what "
                "their names mean and what applies; `bench run --smoke` finds out how long they take")  # fmt: skip
    return f"{cells}: counted as the smoke run found them"


def estimator(name: str, results: Path, own: Iterable[Record], *, smoke: bool) -> Estimator:
    """What is known here of how long a suite's trials take. own: the suite's own records, or those of its smoke run."""
    tried = results / f"{name}-smoke"
    folder = tried if smoke else results / name
    both: Json = {"tasks": {**lock.read(tried)["tasks"], **lock.read(folder)["tasks"]}}
    return Estimator(both, own, () if smoke else records.read(tried).records)


def reasons(cells: Iterable[Cell]) -> list[str]:
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
    for folder in paths.suites(results, begun=True):
        read = records.read(folder)
        latest = records.latest(read.records)
        plan = _kept_plan(paths.plan(folder))
        planned = {id_: latest[id_] for id_ in plan["trials"] if id_ in latest} if plan["trials"] else latest
        counts = trial_counts.total(plan["cells"], latest)
        if not plan["cells"]:
            counts = Counter(trial_counts.state(record) for record in latest.values())
            counts["trials"] = counts.total()
        statuses = Counter(record["status"] for record in planned.values())
        causes = Counter(f"{r['status']}: {printable(r.get('cause'))}" for r in planned.values() if r["status"] != "ok")
        found.append({
            "suite": folder.name,
            "trials": {state: counts[state] for state in trial_counts.STATES},
            "statuses": dict(sorted(statuses.items())),
            "failures": [f"{count} × {cause}" for cause, count in causes.most_common()],
            "damaged": read.damaged,
            "now": hold.told(folder),
        })  # fmt: skip
    return found


def doing(now: Json) -> list[str]:
    """What `status_of` found a suite to be at, a line for each trial that runs and one for what is left."""
    if not now.get("running"):
        by = f"process {now['pid']} on {now['host']}, since {now['since']}" if "pid" in now else "it has not said which"
        return [f"a `bench run` or `bench lock` works here: {by}"]
    here = datetime.now(UTC)
    lines = []
    for one in now["running"]:
        for_ = _since(one["since"], here)
        expected, left = one.get("seconds"), ""
        if expected is not None:
            late = for_ > expected
            left = f", {span(expected)} were expected" if late else f", about {span(expected - for_)} more"
        lines.append(f"running on {one['slot']} for {span(for_)}{left}: {one['trial']}")
    if now.get("left") is not None:
        lines.append(f"about {span(max(0.0, now['left'] - _since(now.get('at'), here)))} left in all")
    return lines


def _since(when: str | None, now: datetime) -> float:
    try:
        return max(0.0, (now - datetime.fromisoformat(when or "")).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def _kept_plan(path: Path) -> Json:
    """What the last run planned; nothing where none got that far. Raises StoreError."""
    if not path.exists():
        return {"trials": {}, "cells": []}
    try:
        plan = schema.read(path)
        validation.check(validation.Plan, plan)
        return plan
    except (OSError, ValueError, TypeError) as error:
        raise StoreError(f"{path}: not a plan; `bench run` writes it anew") from error


def describe(kind: str, name: str) -> Json:
    """A plugin's name, one-line summary and parameters; of a regime also what is tuned, over which range."""
    tuned = plugins.load("regimes", name).TUNED if kind == "regimes" else None
    takes = kind in ("regimes", "tasks", "model_sources", "data_sources")
    fields = plugins.load(kind, name).Parameters.model_fields if takes else {}
    return {
        "name": name,
        "summary": _docstring(plugins.module(kind, name)).strip().partition("\n")[0],
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


def _docstring(module: types.ModuleType) -> str:
    """The docstring of a plugin's file, from its source where Python was told to leave it out (-OO)."""
    if module.__doc__:
        return str(module.__doc__)
    try:
        return ast.get_docstring(ast.parse(inspect.getsource(module))) or ""
    except (OSError, SyntaxError):
        return ""
