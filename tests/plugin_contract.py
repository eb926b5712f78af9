"""What every plugin owes the contract of its folder; a test runs it over all there are."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import bench
from bench import contracts, plugins
from bench.execution.executor import Executor
from bench.suite.parameters import ModelParameters, RegimeParameters, Strict, TaskParameters

BASES: dict[str, type] = {**plugins.BASES, "executors": Executor}
PARAMETERS: dict[str, type[BaseModel]] = {
    "regimes": RegimeParameters,
    "tasks": TaskParameters,
    "model_sources": ModelParameters,
    "data_sources": Strict,
}
NAMES = {"plugin", "kind", "module", "way", "source", "regime", "task", "objective", "metric", "executor"}
"""What variables that hold a plugin are called."""


def class_of(folder: str, name: str) -> type:
    """The one class of a plugin's file."""
    return plugins.find(folder, name, BASES[folder])


def problems(folder: str, name: str, plugin: type) -> Iterator[str]:
    """What is wrong with a plugin's class, each a sentence."""
    base = BASES[folder]
    if not issubclass(plugin, base):
        yield f"does not derive from {base.__name__}"
        return
    yield from (f"does not define {member}" for member in sorted(getattr(plugin, "__abstractmethods__", ())))
    module = sys.modules[plugin.__module__]
    if not (module.__doc__ or "").strip():
        yield "its module has no docstring"
    if not vars(plugin).get("__doc__"):
        yield "the class has no docstring"
    if issubclass(plugin, contracts.Plugin):
        version: Any = inspect.getattr_static(plugin, "VERSION", None)
        if type(version) is not int or version < 1:
            yield f"VERSION is {version!r}, not a number from 1 up"
    for member, value in inspect.getmembers_static(plugin):
        if member.startswith("_") or not inspect.isfunction(value):
            continue
        if not inspect.getdoc(value):
            yield f"{member} has no docstring"
        if (wanted := inspect.getattr_static(base, member, None)) is not None:
            yield from _differs(member, inspect.signature(value), inspect.signature(wanted))
    if folder in PARAMETERS:
        yield from _parameters(folder, name, plugin.Parameters)


def _differs(member: str, own: inspect.Signature, wanted: inspect.Signature) -> Iterator[str]:
    """Whether a call that the contract allows does not reach the plugin's method."""
    names = [one.name for one in wanted.parameters.values() if one.kind is not one.KEYWORD_ONLY]
    keywords = {one.name: None for one in wanted.parameters.values() if one.kind is one.KEYWORD_ONLY}
    try:
        own.bind(*names, **keywords)
    except TypeError as error:
        yield f"{member}{own} does not take what the contract gives it: {error}"
        return
    given = [one.name for one in own.parameters.values() if one.kind is not one.KEYWORD_ONLY][: len(names)]
    if given != names:
        yield f"{member}: its parameters are {', '.join(given)}, the contract's {', '.join(names)}"


def _parameters(folder: str, name: str, schema: Any) -> Iterator[str]:
    if not (inspect.isclass(schema) and issubclass(schema, PARAMETERS[folder])):
        yield f"Parameters is no {PARAMETERS[folder].__name__}"
        return
    if not schema.model_config.get("frozen"):
        yield "Parameters is not frozen"
    if not inspect.getdoc(schema):
        yield "Parameters has no docstring"
    schema.model_json_schema()
    own = {field for kind in schema.__mro__ if not kind.__module__.startswith("bench.suite.") for field in _own(kind)}
    yield from (f"parameter {one} has no description" for one in own if not schema.model_fields[one].description)
    if folder in ("model_sources", "data_sources"):  # what a suite writes: {source: what}
        if name not in schema.model_fields:
            yield f"Parameters has no field '{name}'"
    elif wanted := [one for one, info in schema.model_fields.items() if info.is_required()]:
        yield f"a suite must give {', '.join(wanted)}, and may say nothing at all"


def _own(kind: type) -> set[str]:
    fields: Mapping[str, Any] = getattr(kind, "model_fields", {})
    return {one for one in vars(kind).get("__annotations__", {}) if one in fields}


def guesses(source: str) -> Iterator[int]:
    """Lines that ask a plugin `hasattr` or `getattr`: of a name that a plugin has, or of `plugins.load(…)` itself."""
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
            continue
        if node.func.id in ("hasattr", "getattr") and _is_plugin(node.args[0]):
            yield node.lineno


def _is_plugin(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) in ("plugins.load", "load")
    if isinstance(node, ast.Attribute):
        return node.attr in NAMES
    return isinstance(node, ast.Name) and node.id in NAMES


def files() -> list[Path]:
    """Every file of `bench`."""
    return sorted(Path(bench.__file__).parent.rglob("*.py"))
