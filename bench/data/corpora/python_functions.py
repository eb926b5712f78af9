"""English from the Python installation: what does a function do that a docstring describes? Any number of five labels.

The function's own code tells, parsed and never imported: it `returns` a value, `raises` an exception, `loops`,
`catches` exceptions, `stores` into an object's attributes. `train` and `test` hold docstrings of five words or more,
cut to 60; those found twice are left out. Everything within one top-level class or function falls on the same side.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bench.data.corpora.python_docs import FEWEST_WORDS, WORDS, installed, tested

if TYPE_CHECKING:
    import datasets

LABELS = ("returns", "raises", "loops", "catches", "stores")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def load() -> tuple[str, datasets.DatasetDict]:
    """A hash of the content, and the splits train and test with text, labels and cluster (the unit it is in)."""
    import datasets

    found = list(_functions())
    counts = Counter(text for _, text, _ in found)
    splits: dict[str, list[tuple[str, list[int]]]] = {"train": [], "test": []}
    for unit, text, labels in found:
        if counts[text] == 1:
            splits["test" if tested(unit) else "train"].append((text, labels))
    for rows in splits.values():  # the modules mixed, as whoever takes the first few expects
        rows.sort(key=lambda row: hashlib.sha256(row[0].encode()).digest())
    labels = datasets.List(datasets.ClassLabel(names=list(LABELS)))
    features = datasets.Features({"text": (text := datasets.Value("string")), "labels": labels, "cluster": text})
    units = {text: unit for unit, text, _ in found}
    tables = {
        split: datasets.Dataset.from_dict(
            {"text": [t for t, _ in rows], "labels": [own for _, own in rows], "cluster": [units[t] for t, _ in rows]},
            features,
        )
        for split, rows in splits.items()
    }
    return hashlib.sha256(json.dumps([LABELS, splits]).encode()).hexdigest(), datasets.DatasetDict(tables)


def _functions() -> Iterator[tuple[str, str, list[int]]]:
    """Every documented function: the top-level name it is in, the docstring, its labels."""
    for module, tree in installed():
        for top in tree.body:
            for node in ast.walk(top):
                if isinstance(node, Function):
                    words = (ast.get_docstring(node) or "").split()
                    if len(words) >= FEWEST_WORDS:
                        yield f"{module}:{getattr(top, 'name', '')}", " ".join(words[:WORDS]), does(node)


def does(function: Function) -> list[int]:
    """Which of LABELS a function has by its own code, without that of functions and classes inside it."""
    nodes: list[ast.AST] = list(function.body)
    found = set()
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Return) and node.value is not None:
            found.add("returns")
        elif isinstance(node, ast.Raise):
            found.add("raises")
        elif isinstance(node, ast.For | ast.AsyncFor | ast.While | ast.comprehension):
            found.add("loops")
        elif isinstance(node, ast.ExceptHandler):
            found.add("catches")
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add("stores")
        if not isinstance(node, Function | ast.ClassDef | ast.Lambda):
            nodes += ast.iter_child_nodes(node)
    return [number for number, label in enumerate(LABELS) if label in found]
