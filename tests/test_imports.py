"""Imports point down one list of parts, never up, and so without a cycle."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from source_files import modules

ORDER = (
    "cli", "command_group", "commands", "options", "console", "api", "api_tools", "api_places", "export", "report",
    "audit", "analysis", "execution", "planning", "trial", "regimes", "objectives", "zeroshot", "tasks",
    "model_sources", "data_sources", "metrics", "training", "modeling", "data", "probes", "hub", "store", "plugins",
    "contracts", "suite", "private_api", "errors", "redact", "printable",
)  # fmt: skip


def imported(source: str, known: set[str]) -> Iterator[str]:
    """The modules of bench that a source imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "bench":
                    yield alias.name.removeprefix("bench").lstrip(".")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "bench":
            package = (node.module or "").removeprefix("bench").lstrip(".")
            for alias in node.names:
                inner = f"{package}.{alias.name}".lstrip(".")
                yield inner if inner in known else package


def graph() -> dict[str, set[str]]:
    files = modules()
    return {name: set(imported(_run(name, path), set(files))) - {name, ""} for name, path in files.items()}


def _run(name: str, path: Path) -> str:
    """What a file imports when it runs: contracts name, for the type checker alone, types of the parts above them."""
    source = path.read_text()
    return (
        re.sub(r"^if TYPE_CHECKING:\n(    .*\n|\n)+", "", source, flags=re.M)
        if name.startswith("contracts")
        else source
    )


def upward(edges: dict[str, set[str]]) -> list[str]:
    return [
        f"{name} imports {other}"
        for name, others in edges.items()
        for other in others
        if name and ORDER.index(other.split(".")[0]) < ORDER.index(name.split(".")[0])
    ]


def cycle(edges: dict[str, set[str]]) -> list[str]:
    """The modules left over when all that import nothing but what has gone are taken away, again and again."""
    left = {name: set(others) for name, others in edges.items()}
    while leaves := {name for name, others in left.items() if not others & left.keys()}:
        left = {name: others for name, others in left.items() if name not in leaves}
    return sorted(left)


def test_every_part_has_its_place_in_the_order() -> None:
    assert {name.split(".")[0] for name in modules()} - {""} <= set(ORDER)


def test_imports_point_down_the_list() -> None:
    assert upward(graph()) == []


def test_imports_hold_no_cycle() -> None:
    assert cycle(graph()) == []


def test_no_import_is_relative_to_its_file() -> None:
    for path in modules().values():
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path}: relative import"


def test_the_readings_of_imports_can_fail() -> None:
    known = {"errors", "api", "cli"}
    source = "if TYPE_CHECKING:\n    from bench import api\nimport bench.cli\ndef f():\n    from bench.errors import X"
    assert set(imported(source, known)) == {"api", "cli", "errors"}
    assert upward({"errors": {"api"}, "api": {"errors"}}) == ["errors imports api"]
    assert cycle({"errors": {"api"}, "api": {"errors"}, "cli": {"api"}}) == ["api", "cli", "errors"]
