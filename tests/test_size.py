"""Files and functions stay short enough to be read at once."""

from __future__ import annotations

import ast

from source_files import modules

LONGEST_FILE, LONGEST_FUNCTION = 400, 60


def functions(source: str) -> dict[str, int]:
    """{name: lines} of every function of a source, signature and docstring included."""
    nodes = (n for n in ast.walk(ast.parse(source)) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef)))
    return {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in nodes}


def test_no_file_is_long() -> None:
    lines = {name: len(path.read_text().splitlines()) for name, path in modules().items()}
    assert {name: count for name, count in lines.items() if count > LONGEST_FILE} == {}


def test_no_function_is_long() -> None:
    found = {f"{name}.{f}": n for name, path in modules().items() for f, n in functions(path.read_text()).items()}
    assert {name: count for name, count in found.items() if count > LONGEST_FUNCTION} == {}


def test_a_long_function_is_seen() -> None:
    assert functions("def f(\n    a,\n):\n    async def g():\n        pass\n    return a\n") == {"f": 6, "g": 2}
