"""Finds plugins: one file in one folder each, its stem (dashes for underscores) the name used in YAML.

A folder named in `FOLDERS` holds plugins and nothing else besides its `__init__.py`. Another package adds its own
through the entry-point group `bench.plugins`, each entry named `folder.name` (`regimes.my-regime = "pkg.module"`).
A plugin's top imports nothing heavy and states `VERSION` and, where it takes parameters, a pydantic `Parameters`.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from importlib.metadata import entry_points
from types import ModuleType

from bench.errors import UsageError, did_you_mean

FOLDERS = ("regimes", "objectives", "tasks", "zeroshot", "metrics", "model_sources", "data_sources")
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


def load(folder: str, name: str) -> ModuleType:
    """Import one plugin. Raises UsageError, with the nearest name, when there is none of that name."""
    modules = _modules(folder)
    if name not in modules:
        raise UsageError(f"no {folder} plugin is called '{name}'{did_you_mean(name, modules)}")
    return importlib.import_module(modules[name])
