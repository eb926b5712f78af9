"""Finds plugins: one file in one folder each, its stem (dashes for underscores) the name used in YAML.

A folder named in `BASES` holds plugins and nothing else besides its `__init__.py`; a file holds one class that derives
from the folder's base in `bench.contracts`. Another package adds its own through the entry-point group `bench.plugins`,
each entry named `folder.name` (`regimes.my-regime = "pkg.module"`). A plugin's top imports nothing heavy.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any, Literal, TypeVar, overload

from bench import contracts
from bench.errors import UsageError, did_you_mean

BASES: dict[str, type[contracts.Plugin]] = {
    "regimes": contracts.Regime,
    "objectives": contracts.Objective,
    "tasks": contracts.TaskKind,
    "zeroshot": contracts.ZeroShotWay,
    "metrics": contracts.Metric,
    "model_sources": contracts.ModelSource,
    "data_sources": contracts.DataSource,
    "formats": contracts.ReportFormat,
    "exports": contracts.Export,
}
FOLDERS = tuple(BASES)
PLACES = {"formats": "bench.report.formats", "exports": "bench.export", "executors": "bench.execution.executors"}
"""Where a folder of plugins lies that is none of `bench`'s own."""
LISTED = (*FOLDERS, "executors")
"""What `bench list` shows: executors too, whose class is made anew for every run."""
SINGULAR = {folder.replace("_", "-").removesuffix("s"): folder for folder in LISTED}
"""What one plugin of a folder is called."""
GROUP = "bench.plugins"
K = TypeVar("K")


@functools.cache
def _modules(folder: str) -> dict[str, str]:
    place = PLACES.get(folder, f"bench.{folder}")
    package = importlib.import_module(place)
    found = {info.name.replace("_", "-"): f"{place}.{info.name}" for info in pkgutil.iter_modules(package.__path__)}
    for entry in entry_points(group=GROUP):
        kind, _, name = entry.name.partition(".")
        if kind == folder:
            found[name] = entry.value
    return dict(sorted(found.items()))


def names(folder: str) -> list[str]:
    """The names of all plugins of a kind, sorted."""
    return list(_modules(folder))


@overload
def load(folder: Literal["regimes"], name: str) -> contracts.Regime[Any]: ...
@overload
def load(folder: Literal["objectives"], name: str) -> contracts.Objective: ...
@overload
def load(folder: Literal["tasks"], name: str) -> contracts.TaskKind[Any]: ...
@overload
def load(folder: Literal["zeroshot"], name: str) -> contracts.ZeroShotWay: ...
@overload
def load(folder: Literal["metrics"], name: str) -> contracts.Metric: ...
@overload
def load(folder: Literal["model_sources"], name: str) -> contracts.ModelSource[Any]: ...
@overload
def load(folder: Literal["data_sources"], name: str) -> contracts.DataSource[Any]: ...
@overload
def load(folder: Literal["formats"], name: str) -> contracts.ReportFormat: ...
@overload
def load(folder: Literal["exports"], name: str) -> contracts.Export: ...
@overload
def load(folder: str, name: str) -> Any: ...


def load(folder: str, name: str) -> Any:
    """One plugin, made once a process. Raises UsageError, with the nearest name, when there is none of that name, and
    where its file holds no class of the folder's kind."""
    return _made(folder, _place(folder, name))


def module(folder: str, name: str) -> ModuleType:
    """The file of a plugin. Raises UsageError, with the nearest name, when there is none of that name."""
    return importlib.import_module(_place(folder, name))


def find(folder: str, name: str, base: type[K]) -> type[K]:
    """The class of a plugin that is made anew for every use. base: what it derives from. Raises what `load` raises."""
    place = _place(folder, name)
    return _only(_kinds(place, base), place, base)


def _place(folder: str, name: str) -> str:
    modules = _modules(folder)
    if name not in modules:
        raise UsageError(f"no {folder} plugin is called '{name}'{did_you_mean(name, modules)}")
    return modules[name]


@functools.cache
def _made(folder: str, place: str) -> Any:
    kinds = _kinds(place, BASES[folder])
    return _only(kinds, place, BASES[folder])()


def _kinds(place: str, base: type[K]) -> list[type[K]]:
    """The classes of a module that derive from the folder's base."""
    return [
        kind
        for kind in vars(importlib.import_module(place)).values()
        if inspect.isclass(kind)
        and issubclass(kind, base)
        and kind.__module__ == place
        and not kind.__name__.startswith("_")
    ]


def _only(kinds: list[type[K]], place: str, base: type[K]) -> type[K]:
    """The one class there must be, with nothing left to define."""
    if len(kinds) != 1:
        named = f"{base.__module__}.{base.__name__}"
        raise UsageError(f"{place} must hold one class that derives from {named}; it has {len(kinds)}")
    if missing := sorted(getattr(kinds[0], "__abstractmethods__", ())):
        raise UsageError(f"{place}: {kinds[0].__name__} does not define {', '.join(missing)}")
    return kinds[0]
