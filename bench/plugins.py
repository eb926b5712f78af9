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
from typing import Any

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
}
FOLDERS = tuple(BASES)
GROUP = "bench.plugins"


@functools.cache
def _modules(folder: str) -> dict[str, str]:
    package = importlib.import_module(f"bench.{folder}")
    found = {
        info.name.replace("_", "-"): f"bench.{folder}.{info.name}" for info in pkgutil.iter_modules(package.__path__)
    }
    for entry in entry_points(group=GROUP):
        kind, _, name = entry.name.partition(".")
        if kind == folder:
            found[name] = entry.value
    return dict(sorted(found.items()))


def names(folder: str) -> list[str]:
    """The names of all plugins of a kind, sorted."""
    return list(_modules(folder))


def load(folder: str, name: str) -> Any:
    """One plugin, made once a process. Raises UsageError, with the nearest name, when there is none of that name, and
    where its file holds no class of the folder's kind."""
    modules = _modules(folder)
    if name not in modules:
        raise UsageError(f"no {folder} plugin is called '{name}'{did_you_mean(name, modules)}")
    return _made(folder, modules[name])


@functools.cache
def _made(folder: str, place: str) -> Any:
    module = importlib.import_module(place)
    kinds = [
        kind
        for kind in vars(module).values()
        if inspect.isclass(kind)
        and issubclass(kind, BASES[folder])
        and kind.__module__ == place
        and not kind.__name__.startswith("_")
    ]
    if not kinds:
        return module  # a plugin of before, whose module is its contract
    if len(kinds) != 1:
        base = BASES[folder].__name__
        raise UsageError(f"{place} must hold one class that derives from bench.contracts.{base}; it has {len(kinds)}")
    if missing := sorted(kinds[0].__abstractmethods__):
        raise UsageError(f"{place}: {kinds[0].__name__} does not define {', '.join(missing)}")
    return kinds[0]()
