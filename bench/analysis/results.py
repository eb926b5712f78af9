"""One suite's folder as it is read, and the cells of its plan with the attempts that count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from bench.errors import StoreError
from bench.planning import lock
from bench.store import paths, records, schema_version, validation
from bench.store.record import Record
from bench.store.results_folder import refuse_links
from bench.suite.trial import SCHEMA

KEYS = ["suite", "task", "model", "size", "noise", "environment"]
"""What the regimes that are compared with each other have in common."""


class Place(NamedTuple):
    """A cell of the plan in one environment: the attempts that count of its seeds, and of its tuning in any."""

    cell: dict[str, Any]
    environment: str
    attempts: list[Record]
    tuning: list[Record]


@dataclass(frozen=True)
class Results:
    """One suite's folder as read: its plan, the whole records, and what was damaged or torn, as records.Read has it.
    unusable: what turned out to be wrong with predictions when they were read."""

    name: str
    plan: dict[str, Any]
    records: list[Record]
    damaged: list[str]
    folder: Path
    unusable: list[str] = field(default_factory=list)
    samples: dict[Any, Any] = field(default_factory=dict, repr=False)
    """What was read of predictions, for whoever asks again."""
    pools: dict[str, int] = field(default_factory=dict)
    """Of a task how many examples its training split has, as far as the lock says it."""
    torn: list[str] = field(default_factory=list)

    @cached_property
    def environments(self) -> list[str]:
        """The ids of all environments the plan's trials ran in, the one with the most records first."""
        counts = Counter(records.environment(r) for r in self.records if r["trial"]["id"] in self.plan["trials"])
        counts.pop("", None)
        return sorted(counts, key=lambda name: (-counts[name], name))

    def latest(self, environment: str) -> dict[str, Record]:
        """By trial, the attempt that counts in an environment; one that ended before it was known counts in all."""
        return records.latest(r for r in self.records if records.environment(r) in (environment, ""))

    def clean(self, task: str) -> str:
        """The task whose images another's are, made worse; the task itself where they are not."""
        return str(self.plan.get("input_noise", {}).get(task, {}).get("task", task))

    def noise(self, task: str) -> str:
        """By what a task's images are made worse, in words; `none`."""
        return str(self.plan.get("input_noise", {}).get(task, {}).get("noise", "none"))

    @cached_property
    def places(self) -> list[Place]:
        """Every cell of the plan in every environment that it ran in."""
        return list(_places(self))


def _read(folder: Path) -> Results:
    refuse_links(folder)
    path = paths.plan(folder)
    try:
        plan = schema_version.read(path)
        validation.check(validation.Plan, plan)
        version, usable = plan["schema"], plan["trials"] and plan["cells"]
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}; `bench run` writes it") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path}: not a plan; `bench run` writes it anew") from error
    if version != SCHEMA or not usable:
        problem = "holds no trial" if version == SCHEMA else f"has schema {version}, this version reads {SCHEMA}"
        raise StoreError(f"{path}: {problem}; `bench run` writes it anew")
    found = records.read(folder)
    name = str(plan.get("suite") or folder.resolve().name)
    return Results(name, plan, found.records, found.damaged, folder, pools=_pools(folder), torn=found.torn)


def _pools(folder: Path) -> dict[str, int]:
    """{task: examples of its training split}, of those whose lock says it."""
    try:
        tasks = lock.read(folder)["tasks"]
    except StoreError:
        return {}
    counts = {
        name: (entry.get("classes") or {}).get("train") for name, entry in tasks.items() if isinstance(entry, dict)
    }
    whole = {
        name: one for name, one in counts.items() if isinstance(one, list) and all(isinstance(n, int) for n in one)
    }
    return {name: sum(one) for name, one in whole.items() if sum(one) > 0}


def load(results: Path) -> list[Results]:
    """Read one suite's folder (it has `records/` or `plan.json`) or a folder of such folders: those of one suite go by
    their folders' names.

    Raises UsageError where there is none, StoreError where one cannot be read.
    """
    found = [_read(folder) for folder in paths.suites(results)]
    names = Counter(one.name for one in found)
    return [one if names[one.name] == 1 else replace(one, name=one.folder.name) for one in found]


def _places(results: Results) -> Iterator[Place]:
    known = results.environments
    latest = {environment: results.latest(environment) for environment in [*known, ""]}
    anywhere = records.latest(results.records)
    ran = {(r["trial"]["id"], records.environment(r)) for r in results.records}
    for cell in results.plan["cells"]:
        tuning = [anywhere[trial] for trial in cell["tuning"] if trial in anywhere]
        environments = [e for e in known if any((trial, e) in ran for trial in cell["reported"])]
        for environment in environments or (known if len(known) == 1 else [""]):
            attempts = [latest[environment][trial] for trial in cell["reported"] if trial in latest[environment]]
            yield Place(cell, environment, attempts, tuning)


def scored(place: Place) -> list[Record]:
    """Those of its attempts that have a score on the test split."""
    return [r for r in place.attempts if r["status"] == "ok" and r.get("scores", {}).get("test")]
