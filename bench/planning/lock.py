"""What every name in the suite meant, resolved once: `lock.json`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from bench import plugins
from bench.errors import DataError, StoreError
from bench.hub.client import is_commit
from bench.store import atomic, paths, schema_version, validation
from bench.suite.parameters import SourceParameters
from bench.suite.schema import Source, Suite, Task
from bench.suite.trial import SCHEMA, Json

SECTIONS = ("models", "tasks", "regimes")


def read(folder: Path) -> Json:
    """The lock of a results folder; empty sections where there is none.

    Raises StoreError for one that is damaged or a newer version's.
    """
    path = paths.lock(folder)
    if not path.exists():
        return {"schema": SCHEMA, **{section: {} for section in SECTIONS}}
    try:
        lock = schema_version.read(path)
        if lock["schema"] != SCHEMA:
            raise ValueError("not this version's format")
        validation.check(validation.Lock, lock)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path}: cannot be read ({error}); remove it and run `bench lock` again") from error
    return lock


def write(folder: Path, lock: Json) -> None:
    """Keep the lock. Raises StoreError."""
    atomic.write_json(paths.lock(folder), lock)


def split(parameters: BaseModel) -> tuple[Json, Json]:
    """A source's parameters as (what its content is, where it lies). Paths and `PLACES` say where it lies: a trial's id
    does not depend on them, but on the fingerprint they led to."""
    content: Json = {}
    place: Json = {}
    values = parameters.model_dump(mode="json")
    places = parameters.PLACES if isinstance(parameters, SourceParameters) else frozenset()
    for name, value in parameters:
        if name not in values:
            continue
        of_paths = isinstance(value, Path) or (
            isinstance(value, dict) and any(isinstance(v, Path) for v in value.values())
        )
        (place if of_paths or name in places else content)[name] = values[name]
    return content, place


def task_spec(suite: Suite, task: Task, fingerprint: str) -> Json:
    """The `task` of a trial, all of it; labels as the suite gives them."""
    splits: dict[str, str | float] = {"train": "train", "test": "test"}
    if suite.validation == "full":
        splits["validation"] = "validation"
    splits |= {name: value for name, value in task.splits.items() if name in splits}
    return {
        "kind": task.kind,
        "version": plugins.load("tasks", task.kind).VERSION,
        "parameters": task.parameters.model_dump(mode="json"),
        "data": {**_source("data_sources", task.data), "fingerprint": fingerprint},
        "columns": _columns(task, task.columns),
        "splits": splits,
    }


def _columns(task: Task, named: Json) -> Json:
    """A column for each role: those named, and for what is needed besides, one of that name."""
    kind = plugins.load("tasks", task.kind)
    given = {role for name in named for role in (name, *kind.INSTEAD.get(name, ()))}
    return {role: role for role, needed in kind.COLUMNS.items() if needed and role not in given} | named


def also_spec(task: Task, fingerprints: Json) -> Json:
    """What a trial's task holds beside `task_spec` where it has also_test sets, else nothing."""
    found = {}
    for name, entry in task.also_test.items():
        data = {**_source("data_sources", entry.data), "fingerprint": fingerprints.get(name, "")}
        labels = {} if entry.labels is None else {"labels": to_jsonable_python(entry.labels)}
        found[name] = {"data": data, "columns": _columns(task, entry.columns), "split": entry.split, **labels}
    return {"also_test": found} if found else {}


def also_places(task: Task) -> Json:
    """Where the data of the also_test sets lie."""
    return {name: split(entry.data.parameters)[1] for name, entry in task.also_test.items()}


def orders(suite: Suite, lock: Json) -> Iterator[tuple[str, str, bool, Json]]:
    """For every model, every task and every regime that has something to check: (section, name, whether it is locked as
    the suite asks, the worker's order)."""
    for name, model in suite.models.items():
        found = _order(lock, "models", name, model, _source("model_sources", model))
        found[3]["uses"] = list(_uses(suite, name))
        yield found
    for name, task in suite.tasks.items():
        spec = {**task_spec(suite, task, ""), **also_spec(task, {})}
        _, location = split(task.data.parameters)
        found = _order(
            lock, "tasks", name, task.data, spec, {also: entry.data for also, entry in task.also_test.items()}
        )
        found[3].update(task=spec, location=location, also_test=also_places(task))
        yield found
    for name, regime in suite.regimes.items():
        if not plugins.load("regimes", regime.kind).CHECKS:
            continue
        own = {"kind": regime.kind, "parameters": regime.parameters.model_dump(mode="json")}
        yield _order(lock, "regimes", name, Source(regime.kind, regime.parameters), own)


def _uses(suite: Suite, model: str) -> Iterator[Json]:
    """What a model is used for: `bench.modeling.models.weights_check` says how."""
    for name, task in suite.tasks.items():
        kind = plugins.load("tasks", task.kind)
        ways = {"way" in type(suite.regimes[regime].parameters).model_fields for regime in task.regimes}
        if model in task.models:
            asked = True in ways or name in suite.forgetting
            yield {"gives": kind.OBJECTIVE, "modality": kind.MODALITY, "asked": asked, "trained": False in ways}


def verify(suite: Suite, lock: Json) -> None:
    """Check that local files are still what was locked. Raises DataError naming the way out."""
    for section, kind, name, source, locked in _locked(suite, lock):
        plugin = plugins.load(section, source.source)
        if locked and plugin.fingerprint(source.parameters) not in (None, locked):
            raise DataError(
                f"{kind} {name}: its files have changed since they were locked; put them back, or accept them with "
                f"`bench lock {suite.path} --update` (their trials then run anew)"
            )


def _locked(suite: Suite, lock: Json) -> Iterator[tuple[str, str, str, Source, str | None]]:
    """All that the suite names: (its plugin's folder, what it is for, that one's name, it, its fingerprint)."""
    for name, model in suite.models.items():
        yield "model_sources", "model", name, model, lock["models"].get(name, {}).get("fingerprint")
    for name, task in suite.tasks.items():
        entry = lock["tasks"].get(name, {})
        yield "data_sources", "task", name, task.data, entry.get("fingerprint")
        for also, own in task.also_test.items():
            yield (
                "data_sources",
                "task",
                f"{name}, also_test {also}",
                own.data,
                entry.get("also_test", {}).get(also),
            )


def _order(
    lock: Json, section: str, name: str, source: Source, request: Json, also: Mapping[str, Source] | None = None
) -> tuple[str, str, bool, Json]:
    entry = lock[section].get(name)
    named = {"": source, **(also or {})}
    asked = {key: r for key, one in named.items() if (r := getattr(one.parameters, "revision", None))}
    locked = entry is not None and entry["request"] == request and _has_revisions(entry, asked)
    order: dict[str, Any] = {
        "do": "prepare",
        "kind": section[:-1],
        "name": name,
        "source": source.source,
        "parameters": source.parameters.model_dump(mode="json"),
        "locked": entry if locked else None,
        "request": json.loads(json.dumps(request)),
        "revisions": {"revisions": asked} if asked else {},
    }
    return section, name, locked, order


def _has_revisions(entry: Json, asked: Json) -> bool:
    """Whether an entry is of the revisions that a suite asks for: of that commit, or locked by the name of that branch
    (which older locks do not hold)."""
    known = {"": entry.get("fingerprint", ""), **(entry.get("also_test") or {})}
    before = entry.get("revisions") or {}
    return all(
        known.get(key, "").startswith(revision) if is_commit(revision) else before.get(key, revision) == revision
        for key, revision in asked.items()
    )


def _source(kind: str, source: Source) -> Json:
    content, _ = split(source.parameters)
    return {"source": source.source, "version": plugins.load(kind, source.source).VERSION, "parameters": content}
