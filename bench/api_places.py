"""Suites and results as callers name them: a file, a dict, a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from bench import plugins
from bench.errors import UsageError
from bench.planning import from_python as given
from bench.store import cache, paths
from bench.suite.load import load
from bench.suite.schema import Schemas, Suite

Say = Callable[[str], None]
SECTIONS = {"models": "model_sources", "tasks": "tasks", "regimes": "regimes", "data": "data_sources"}
"""Where the plugins are whose parameters stand in a section of a suite."""
Given: TypeAlias = Suite | str | Path | Mapping[str, Any]
"""A suite, its file, or a dict of the same keys."""
Place: TypeAlias = str | Path | Suite
"""Results: of a suite, or of its file, below `results`; or a folder, of one suite or of several."""


def schemas() -> Schemas:
    """What all installed plugins accept."""
    kinds = {
        section: {name: plugins.load(folder, name).Parameters for name in plugins.names(folder)}
        for section, folder in SECTIONS.items()
    }
    given = {name: plugins.load("tasks", name).OBJECTIVE for name in plugins.names("tasks")}
    gives = {name: plugins.load("objectives", objective).ANSWERS for name, objective in given.items()}
    takes = {name: plugins.load("metrics", name).TAKES for name in plugins.names("metrics")}
    modalities = {name: plugins.load("tasks", name).MODALITY for name in given}
    return Schemas(**kinds, gives=gives, metrics=takes, modalities=modalities)


def load_suite(suite: Given) -> Suite:
    """Read and check a suite's file, or a dict of the same keys. Raises SuiteError with every problem at once.

    In a dict a task's `data` may also be a pandas frame, or `{split: frame}`; relative paths are taken from the current
    folder.
    """
    if isinstance(suite, Suite):
        return suite
    if isinstance(suite, Mapping):
        return given.load(suite, schemas())
    return load(suite, schemas())


def folder_of(suite: Suite, results: str | Path = "results", *, smoke: bool = False) -> Path:
    """Where a suite's results lie. Raises StoreError where that is a link."""
    return paths.suite(Path(results), f"{suite.name}-smoke" if smoke else suite.name)


def place_of(place: Place, results: str | Path = "results", *, smoke: bool = False) -> Path:
    """The results folder that is meant: a suite's or its file's, else the folder itself.

    Raises SuiteError; UsageError where `smoke` is asked of a folder.
    """
    if isinstance(place, Suite):
        return folder_of(place, results, smoke=smoke)
    if Path(place).suffix.lower() in (".yaml", ".yml") and Path(place).is_file():
        return folder_of(load_suite(place), results, smoke=smoke)
    if smoke:
        raise UsageError(f"{place}: smoke goes with a suite; its results lie in a folder of their own, NAME-smoke")
    return Path(place)


def refuse_odd_names(suite: Suite, folder: Path) -> None:
    """Raises UsageError where what is to be read or written lies in a folder whose name is no text."""
    for what, place in (("the suite", suite.path.parent), ("results", folder), ("the cache", cache.root())):
        paths.openable(what, place)


def wanted(only: Sequence[str]) -> Callable[[Mapping[str, str]], bool]:
    """Whether the reported trials of an axis each, as text, are asked for. Raises UsageError."""
    from bench.planning.only import matches, parse

    filters = parse(only)

    def keep(axes: Mapping[str, str]) -> bool:
        return all(matches([axes[axis]], wanted) for axis, wanted in filters.items())

    return keep
