"""A suite file to a `Suite`, or to every problem in it at once.

A relative path in the file (any parameter that its plugin declares as `pathlib.Path`) is taken from the suite file's
own folder, and `~` is the home folder. Whether a file exists is asked later, by `bench lock`.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import os
import pathlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from bench.errors import did_you_mean
from bench.suite.messages import explain, show
from bench.suite.parameters import ImageTaskParameters, InputNoise, TaskParameters, noise_words
from bench.suite.schema import (
    AlsoTest,
    Conditions,
    Regime,
    Schemas,
    Size,
    Source,
    Spoils,
    Suite,
    SuiteKeys,
    Task,
    TaskKeys,
)
from bench.suite.trial import canonical
from bench.suite.yaml import Document, Path, read

MAX_TRIALS = 1_000_000
_FOLDER = ("./", "../", "/", "~")
M = TypeVar("M", bound=BaseModel)
E = TypeVar("E", Source, Task, Regime)


def load(path: str | os.PathLike[str], schemas: Schemas) -> Suite:
    """Read a suite file. Raises SuiteError with all problems, each `file:line: path: what is wrong`."""
    text, document = read(path)
    return from_document(document, schemas, pathlib.Path(path), text)


def from_document(document: Document, schemas: Schemas, file: pathlib.Path, text: str) -> Suite:
    """Check what a suite says. file: where it stands, whose folder relative paths are taken from. Raises SuiteError."""
    suite = _Loader(document, schemas, file.absolute().parent).suite(file, text)
    if suite is None or document.problems:
        raise document.refuse()
    return suite


def grid_size(suite: Suite) -> int:
    """The most trials the suite begins with, tuning included, counted without expanding it."""
    runs = len(suite.seeds) * max(1, suite.tuning_trials)
    places = sum(
        len(task.sizes) * len(task.label_noise) * len(task.models) * len(task.regimes) for task in suite.tasks.values()
    )
    return places * runs


class _Loader:
    def __init__(self, document: Document, schemas: Schemas, base: pathlib.Path) -> None:
        self.document = document
        self.schemas = schemas
        self.base = base

    def suite(self, file: pathlib.Path, text: str) -> Suite | None:
        raw = self.document.value
        keys = self._validate(SuiteKeys, raw, ())
        raw = self._defaults(raw) if isinstance(raw, dict) else {}
        models = self._entries("models", raw, lambda value, path: self._source(value, path, self.schemas.models))
        axes = {axis: [*raw[axis]] if isinstance(raw.get(axis), dict) else [] for axis in ("models", "regimes")}
        tasks = self._entries("tasks", raw, lambda value, path: self._task(value, path, keys, axes))
        regimes = self._entries("regimes", raw, self._regime)
        spoilt = tasks if keys is None else self._conditions(keys, tasks, raw.get("tasks"))
        for axis, entries in (("models", models), ("tasks", spoilt), ("regimes", regimes)):
            self._same(axis, entries)
        if tasks and len(tasks) == len(raw["tasks"]):
            self._unused(axes, tasks.values())
        self._after(tasks, raw.get("tasks"))
        lacking = next((n for n, t in _mappings(raw.get("tasks")) if "sizes" not in t), None)
        if raw.get("sizes") is None and lacking is not None:
            self.document.report(("sizes",), f"missing, and task '{lacking}' has none of its own; say sizes: [64, all]")
        if keys is None:
            return None
        if keys.name.endswith("-smoke"):
            self.document.report(("name",), "must not end in '-smoke', which is where `--smoke` leaves its results")
        for metric in keys.tolerance if isinstance(keys.tolerance, dict) else ():
            if metric not in self.schemas.metrics:
                problem = f"no metric is called {show(metric)}{did_you_mean(metric, self.schemas.metrics)}"
                self.document.report(("tolerance", metric), problem)
        for index, task in enumerate(keys.forgetting):
            if task not in tasks:
                self.document.report(
                    ("forgetting", index), f"no task is called {show(task)}{did_you_mean(task, tasks)}"
                )
            elif (gives := self.schemas.gives[tasks[task].kind]) != "classes":
                problem = f"forgetting is measured on tasks of classes; '{task}' gives {gives}"
                self.document.report(("forgetting", index), problem)
        self._reported(keys, models, tasks, regimes)
        suite = Suite(
            name=keys.name,
            path=file,
            text=text,
            description=keys.description,
            models=models,
            tasks=spoilt,
            regimes=regimes,
            seeds=tuple(range(keys.seeds) if isinstance(keys.seeds, int) else keys.seeds),
            tuning_trials=keys.tuning.trials if keys.tuning else 0,
            tuning_select=keys.tuning.select if keys.tuning else "seed",
            budget=keys.budget,
            training=keys.training,
            validation=keys.validation,
            tolerance=keys.tolerance,
            timeout=keys.timeout,
            hung=keys.hung,
            checkpoint=keys.checkpoint,
            forgetting=keys.forgetting,
            reported=keys.reported,
        )
        if (size := grid_size(suite)) > MAX_TRIALS:
            self.document.report((), f"up to {size:,} trials, and at most {MAX_TRIALS:,} are allowed; split the suite")
        return suite

    def _conditions(self, keys: SuiteKeys, tasks: Mapping[str, Task], raw: Any) -> dict[str, Task]:
        """The tasks, and in the place of one whose images are made worse a task for each noise."""
        found: dict[str, Task] = {}
        for name, task in tasks.items():
            if isinstance(task.parameters, ImageTaskParameters):
                given = raw[name].get("input_noise")
                own = TypeAdapter(Conditions).validate_python(given) if given is not None else keys.input_noise
                found |= _spoilt(name, task, own or [None])
            else:
                found[name] = task
                if "input_noise" in raw[name]:
                    problem = f"input noise is for tasks on images, and {task.kind} is none"
                    self.document.report(("tasks", name, "input_noise"), problem)
        return found

    def _reported(self, keys: SuiteKeys, *axes: Mapping[str, Any]) -> None:
        """What is said of published numbers is of this suite, so that ours can stand beside them."""
        for index, one in enumerate(keys.reported):
            for axis, known in zip(("model", "task", "regime"), axes, strict=True):
                name = getattr(one, axis)
                if name is not None and name not in known:
                    problem = f"no {axis} is called {show(name)}{did_you_mean(name, known)}"
                    self.document.report(("reported", index, axis), problem)
            if one.metric not in self.schemas.metrics:
                problem = f"no metric is called {show(one.metric)}{did_you_mean(one.metric, self.schemas.metrics)}"
                self.document.report(("reported", index, "metric"), problem)

    def _defaults(self, raw: dict[str, Any]) -> dict[str, Any]:
        """The suite with what `defaults` holds in every task whose kind takes it and that does not say it itself."""
        defaults = raw.get("defaults")
        if not isinstance(defaults, dict) or not isinstance(raw.get("tasks"), dict):
            return raw
        tasks, used, taken = {}, set(), set(TaskKeys.model_fields)
        for name, task in raw["tasks"].items():
            tasks[name] = task
            if isinstance(task, dict):
                schema = self.schemas.tasks.get(str(task.get("kind", defaults.get("kind"))))
                takes = {*TaskKeys.model_fields, *(schema.model_fields if schema else defaults)}
                given = {key: value for key, value in defaults.items() if key in takes and key not in task}
                self.document.moved.update({("tasks", name, key): ("defaults", key) for key in given})
                tasks[name] = {**task, **given}
                used |= takes & defaults.keys()
                taken |= takes
        for key in defaults:
            if key not in used:
                self.document.report(("defaults", key), f"no task takes it{did_you_mean(key, taken)}")
        return {**raw, "tasks": tasks}

    def _entries(self, axis: str, raw: dict[str, Any], build: Callable[[Any, Path], E | None]) -> dict[str, E]:
        entries = {}
        values = raw.get(axis)
        for name, value in values.items() if isinstance(values, dict) else ():
            if not name.strip() or len(name) > 64 or not name.isprintable():
                self.document.report((axis, name), "a name needs 1 to 64 printable characters")
            if (entry := build(value, (axis, name))) is not None:
                entries[name] = entry
        return entries

    def _source(self, value: Any, path: Path, known: Mapping[str, type[BaseModel]]) -> Source | None:
        if isinstance(value, str):
            value = {"folder" if self._is_folder(value) else "hub": value}
        if not isinstance(value, dict):
            self.document.report(path, f"expected a Hub id, a folder or a mapping, found {show(value)}")
            return None
        sources = [key for key in value if key in known]
        if len(sources) != 1:
            hint = did_you_mean(next(iter(value)), known) if len(value) == 1 else f"; known: {', '.join(sorted(known))}"
            found = " and ".join(sources) or " and ".join(value) or "none"
            self.document.report(path, f"needs exactly one source, found {found}{hint}")
            return None
        parameters = self._validate(known[sources[0]], value, path)
        return Source(sources[0], parameters) if parameters is not None else None

    def _is_folder(self, text: str) -> bool:
        return text.startswith(_FOLDER) or text in (".", "..") or os.path.isdir(os.path.join(self.base, text))

    def _task(self, value: Any, path: Path, suite: SuiteKeys | None, axes: Mapping[str, list[str]]) -> Task | None:
        if not isinstance(value, dict):
            self.document.report(path, f"expected a mapping with kind and data, found {show(value)}")
            return None
        own = {key: part for key, part in value.items() if key in TaskKeys.model_fields}
        rest = {key: part for key, part in value.items() if key not in own}
        keys = self._validate(TaskKeys, own, path)
        data = self._source(value["data"], (*path, "data"), self.schemas.data) if "data" in value else None
        kind = value.get("kind")
        if not isinstance(kind, str):
            return None
        if kind not in self.schemas.tasks:
            hint = did_you_mean(kind, self.schemas.tasks)
            self.document.report((*path, "kind"), f"no task kind is called {show(kind)}{hint}")
            return None
        parameters = self._validate(self.schemas.tasks[kind], rest, path, known=TaskKeys.model_fields)
        self._metrics(rest.get("metrics"), kind, path)
        also = self._also_test(keys, kind, parameters, path) if keys and parameters else {}
        if keys is None or data is None or parameters is None:
            return None
        sizes: Iterable[Size] = keys.sizes or (suite.sizes if suite else None) or ()
        noise = keys.label_noise or (suite.label_noise if suite else ())
        splits = keys.splits.model_dump(exclude_none=True)
        chosen = {axis: self._chosen(axis, getattr(keys, axis), known, path) for axis, known in axes.items()}
        return Task(
            kind, parameters, data, keys.columns, splits, tuple(sizes), tuple(noise), chosen["models"],
            chosen["regimes"], after=keys.after, also_test=also,
        )  # fmt: skip

    def _chosen(self, axis: str, wanted: list[str] | None, known: list[str], path: Path) -> tuple[str, ...]:
        """Which of the suite's models or regimes a task is run with, in the suite's order."""
        for index, name in enumerate(wanted or ()):
            if name not in known:
                problem = f"no {axis[:-1]} of this suite is called {show(name)}{did_you_mean(name, known)}"
                self.document.report((*path, axis, index), problem)
        return tuple(name for name in known if wanted is None or name in wanted)

    def _unused(self, axes: Mapping[str, list[str]], tasks: Collection[Task]) -> None:
        for axis, known in axes.items():
            for name in known:
                if not any(name in getattr(one, axis) for one in tasks):
                    self.document.report((axis, name), f"no task is run with it; name it in a task's {axis}")

    def _after(self, tasks: Mapping[str, Task], named: Any) -> None:
        """One task may follow another of the same modality, which itself follows none."""
        for name, task in tasks.items():
            first = tasks.get(task.after or "")
            problem = None
            if task.after == name:
                problem = "a task cannot come after itself"
            elif task.after is not None and task.after not in named:
                problem = f"no task is called {show(task.after)}{did_you_mean(task.after, tasks)}"
            elif first is not None and first.after is not None:
                problem = f"'{task.after}' comes after '{first.after}' itself; at most one task can come before another"
            elif first is not None and self._modality(first) != self._modality(task):
                problem = f"'{task.after}' is a task of {self._modality(first)}, this one is of {self._modality(task)}"
            if problem is not None:
                self.document.report(("tasks", name, "after"), problem)

    def _modality(self, task: Task) -> str | None:
        return self.schemas.modalities.get(task.kind)

    def _also_test(self, keys: TaskKeys, kind: str, parameters: TaskParameters, path: Path) -> dict[str, AlsoTest]:
        found = {}
        for name, entry in keys.also_test.items():
            place = (*path, "also_test", name)
            if entry.labels is not None and not parameters.labelled():
                self.document.report((*place, "labels"), f"{kind} has no labels")
            words = parameters.words()
            for word in _words(entry.labels) if words else ():
                if word not in words:
                    problem = f"{show(word)} is none of the task's labels{did_you_mean(word, words)}"
                    self.document.report((*place, "labels"), problem)
            data = self._source(entry.data, (*place, "data"), self.schemas.data)
            own = keys.splits.test if isinstance(keys.splits.test, str) else "test"
            if data is not None:
                found[name] = AlsoTest(data, {**keys.columns, **entry.columns}, entry.split or own, entry.labels)
        return found

    def _metrics(self, metrics: Any, kind: str, path: Path) -> None:
        gives, known = self.schemas.gives[kind], self.schemas.metrics
        for index, metric in enumerate(metrics if isinstance(metrics, list) else ()):
            if not isinstance(metric, str) or known.get(metric) == gives:
                continue
            problem = f"no metric is called {show(metric)}{did_you_mean(metric, known)}"
            if metric in known:
                problem = f"metric '{metric}' judges {known[metric]}; {kind} gives {gives}"
            self.document.report((*path, "metrics", index), problem)

    def _regime(self, value: Any, path: Path) -> Regime | None:
        value = {} if value is None else value
        if not isinstance(value, dict):
            self.document.report(path, f"expected nothing or a mapping of parameters, found {show(value)}")
            return None
        kind = value.get("regime", path[-1])
        if not isinstance(kind, str) or kind not in self.schemas.regimes:
            hint = did_you_mean(kind, self.schemas.regimes) if isinstance(kind, str) else ""
            place = (*path, "regime") if "regime" in value else path
            self.document.report(place, f"no regime is called {show(kind)}{hint}")
            return None
        rest = {key: part for key, part in value.items() if key != "regime"}
        schema = self.schemas.regimes[kind]
        parameters = self._validate(schema, rest, path, known=("regime",))
        for key, problem in schema.problems(rest):
            self.document.report((*path, key), problem)
        return Regime(kind, parameters) if parameters is not None else None

    def _validate(self, schema: type[M], value: Any, path: Path, known: Iterable[str] = ()) -> M | None:
        try:
            # From JSON, strict mode takes a list for a tuple and text for a path, but no "3" and no true for a number.
            parsed = schema.model_validate_json(json.dumps(value), strict=True)
        except ValidationError as error:
            for place, problem in explain(error, schema, value, known):
                self.document.report((*path, *place), problem)
            return None
        resolved: M = _resolve(parsed, self.base)
        return resolved

    def _same(self, axis: str, entries: Mapping[str, Source | Task | Regime]) -> None:
        first: dict[object, str] = {}
        for name, entry in entries.items():
            for trials in _trials(entry):
                if (other := first.setdefault(trials, name)) != name:
                    self.document.report((axis, name), f"says the same as '{other}': they would be the same trials")
                    break


def _spoilt(name: str, task: Task, conditions: Sequence[InputNoise | None]) -> Iterable[tuple[str, Task]]:
    """A task under each condition: by its own name where nothing is done to its images."""
    for noise in conditions:
        if noise is None:
            yield name, task
        else:
            words = noise_words(noise)
            spoilt = task.parameters.model_copy(update={"input_noise": noise})
            yield f"{name} ({words})", dataclasses.replace(task, parameters=spoilt, spoils=Spoils(name, words))


def _trials(entry: Source | Task | Regime) -> Iterable[object]:
    """Keys equal in two entries that mean the same trials. Tasks may share all but one of their axes."""
    if not isinstance(entry, Task):
        return [canonical(to_jsonable_python(entry))]
    axes = (entry.sizes, entry.label_noise, entry.models, entry.regimes)
    content = canonical(to_jsonable_python(dataclasses.replace(entry, sizes=(), label_noise=(), models=(), regimes=())))
    if math.prod(map(len, axes)) > MAX_TRIALS // 100:  # a grid to be refused is not walked through
        return [content]
    return itertools.product([content], *axes)


def _words(labels: tuple[str, ...] | dict[str, str] | None) -> Iterable[str]:
    """The classes that labels name."""
    return labels.values() if isinstance(labels, dict) else labels or ()


def _mappings(value: Any) -> list[tuple[str, dict[str, Any]]]:
    return [pair for pair in value.items() if isinstance(pair[1], dict)] if isinstance(value, dict) else []


def _resolve(value: Any, base: pathlib.Path) -> Any:
    """The same value with every path in it absolute."""
    if isinstance(value, pathlib.Path):
        return base / os.path.expanduser(value)
    if isinstance(value, BaseModel):
        changed = {name: _resolve(part, base) for name, part in value if _resolve(part, base) is not part}
        return value.model_copy(update=changed) if changed else value
    if isinstance(value, dict):
        return {key: _resolve(part, base) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_resolve(part, base) for part in value)
    return value
