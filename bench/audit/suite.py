"""The audit of a suite's tasks; what of them is not locked yet is resolved, as before a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

from bench import plugins
from bench.audit.task import Audit, audit
from bench.errors import UsageError, did_you_mean
from bench.execution import executor as executors
from bench.execution.start_suite import resolve
from bench.planning import lock as locks
from bench.planning.combination import labelled_spec
from bench.planning.plan import build
from bench.store import atomic, paths, schema_version
from bench.store.results_folder import Home
from bench.suite.schema import Suite
from bench.suite.trial import SCHEMA, Json, TaskSpec, Trial
from bench.trial import task_data

Say = Callable[[str], None]


def audits(suite: Suite, home: Home, tasks: Sequence[str], most: int, model: str | None, say: Say) -> list[Audit]:
    """Look at the data of a suite whose results folder is held, and keep what was found there as `audit.json`.

    tasks: their names, none: all. most: examples of a split among which near duplicates and suspicious labels are
    looked for; model: whose features labels are judged by, None: words or pixels. Raises UsageError, DataError.
    """
    for name in tasks:
        if name not in suite.tasks:
            raise UsageError(f"no task of suite {suite.name} is called '{name}'{did_you_mean(name, suite.tasks)}")
    if model is not None and model not in suite.models:
        raise UsageError(f"no model of suite {suite.name} is called '{model}'{did_you_mean(model, suite.models)}")
    wanted = list(tasks) or list(suite.tasks)
    models = {name: source for name, source in suite.models.items() if name == model}
    part = dataclasses.replace(suite, models=models, tasks={name: suite.tasks[name] for name in wanted}, regimes={})
    lock = locks.read(home.folder)
    locks.verify(part, lock)
    if not all(locked for _, _, locked, _ in locks.orders(part, lock)):
        with executors.new("inline") as here:  # this process reads the data anyway
            lock = resolve(part, home, lock, here, lambda section, name: False, say)
    found = []
    for name in wanted:
        say(f"task {name}: looking at its data")
        task = suite.tasks[name]
        spec = labelled_spec(suite, task, lock["tasks"][name])
        data = task_data.load(cast(TaskSpec, spec), locks.split(task.data.parameters)[1], {}, f"task {name}")
        found.append(audit(name, data, most, None if model is None else _features(suite, lock, home, name, model)))
    keep(home, found)
    return found


def keep(home: Home, found: Sequence[Audit]) -> None:
    """Write `audit.json`, with what an earlier call found of other tasks. Raises StoreError."""
    known = {one["task"]: one for one in kept(home)}
    known |= {one.task: to_json(one) for one in found}
    home.check()
    atomic.write_json(paths.audit(home.folder), {"schema": SCHEMA, "tasks": [*known.values()]})


def kept(home: Home) -> list[Json]:
    """What earlier calls found. Empty where there is nothing, or nothing whole."""
    try:
        found = schema_version.read(paths.audit(home.folder))["tasks"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [one for one in found if isinstance(one, dict) and isinstance(one.get("task"), str)]


def to_json(found: Audit) -> Json:
    """All that was found, with what is reckoned from it."""
    whole = dataclasses.asdict(found)
    return {**whole, "suspicious_share": found.suspicious_share, "majority": found.majority}


def _features(suite: Suite, lock: Json, home: Home, task: str, model: str) -> dict[str, Any]:
    """The pooled features of a task's training split by a model, from the cache where a run left them there. Raises
    UsageError where the suite plans no trial that pools this model's features for the task."""
    from bench.probes import environment
    from bench.probes.clock import Stages
    from bench.probes.guard import Guard
    from bench.probes.ledger import Ledger, synchroniser
    from bench.trial.attempt import Attempt
    from bench.trial.setup import context_of

    trial = next(_pooling(suite, lock, task, model), None)
    if trial is None:
        raise UsageError(f"task {task}: no regime of suite {suite.name} trains model {model} on pooled features of it")
    import torch

    device = torch.device("cpu")
    described = environment.describe(device, torch.get_num_threads(), "fp32")
    order = {"trial": trial.to_json(), "attempt": "audit", "results": str(home.folder), "checkpoint": None,
             "files": lock["models"][model]["files"]}  # fmt: skip
    guard = Guard()
    attempt = Attempt(order, device, described, 0, lambda stage, done, total: None, guard)
    context = context_of(trial, attempt, Ledger(device, Stages(synchroniser(device)), guard))
    return {"name": model, "train": context.features.frozen("train")}


def _pooling(suite: Suite, lock: Json, task: str, model: str) -> Iterator[Trial]:
    for trial in build(suite, lock, {}).trials().values():
        objective = plugins.load("objectives", plugins.load("tasks", trial.task["kind"]).OBJECTIVE)
        local = plugins.load("model_sources", trial.model["source"]).LOCAL
        if (trial.names.task, trial.names.model) == (task, model) and objective.POOLED and trial.size != 0 and local:
            yield trial
