"""The parameters of PEFT's configurations, read from its source: importing it would take torch, and seconds."""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path

ROOT = "PeftConfig"
"""What every configuration of an adapter extends."""
_CLASS = re.compile(r"^class (\w+)\(([\w., ]+)\):", re.MULTILINE)
_MIXIN = dict.fromkeys(("task_type", "peft_type", "auto_mapping", "peft_version"), "Any")
"""The fields that ROOT has from elsewhere."""


@functools.cache
def known() -> dict[str, tuple[str, Path]]:
    """Every adapter's configuration that is installed: (the class that it extends, its file). Empty without PEFT."""
    spec = importlib.util.find_spec("peft")
    found: dict[str, tuple[str, Path]] = {}
    for folder in map(Path, (spec and spec.submodule_search_locations) or ()):
        for path in sorted(
            [*folder.glob("config.py"), *folder.glob("tuners/*.py"), *folder.glob("tuners/*/config.py")]
        ):
            for name, bases in _CLASS.findall(path.read_text(encoding="utf-8")):
                found.setdefault(name, (bases.split(",")[0].strip(), path))
    return {name: place for name, place in found.items() if _extends(name, found)}


@functools.cache
def parameters(config: str) -> Mapping[str, str]:
    """What a configuration takes: the fields of its class and of those that it extends, as {name: type in words}."""
    base, path = known()[config]
    classes = (node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.ClassDef))
    fields = (node for node in next(c.body for c in classes if c.name == config) if isinstance(node, ast.AnnAssign))
    own = {node.target.id: ast.unparse(node.annotation) for node in fields if isinstance(node.target, ast.Name)}
    return {**(parameters(base) if base in known() else _MIXIN), **own}


def _extends(name: str, found: Mapping[str, tuple[str, Path]]) -> bool:
    while name != ROOT and name in found:
        name = found[name][0]
    return name == ROOT
