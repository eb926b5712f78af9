"""English from the Python installation: which area of the standard library does a docstring belong to?

Docstrings are read from the library's source files, which are parsed and never imported. `train` and `test` hold
docstrings of eight areas, one row each, cut to 60 words. All docstrings of one top-level class or function fall on the
same side, for its methods describe each other; its name's hash decides, so that the side does not depend on what else
is installed. Texts found twice are kept once, texts found in two areas not at all, and a test text that shares more
than half of its four-word sequences with the rest is left out. `unlabelled` (label -1) holds passages of up to 60 words
for pretraining: all other docstrings and the language topics, and those of `train` whole; none of `test`.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.errors import DataError

if TYPE_CHECKING:
    import datasets

AREAS = {
    "concurrency": "asyncio concurrent contextvars multiprocessing queue sched selectors signal subprocess threading",
    "network": "ftplib http imaplib ipaddress poplib smtplib socket socketserver ssl urllib webbrowser wsgiref xmlrpc",
    "email": "email mailbox mimetypes",
    "testing": "bdb cProfile doctest pdb profile pstats timeit trace traceback tracemalloc unittest",
    "markup": "configparser csv html json plistlib tomllib xml",
    "numbers": "_pydatetime _pydecimal calendar colorsys datetime decimal fractions numbers random statistics",
    "files": "_pyio bz2 filecmp fileinput fnmatch genericpath glob gzip io lzma ntpath os pathlib posixpath shutil stat"
    " tarfile tempfile zipfile",
    "language": "ast code codeop dis importlib inspect keyword modulefinder opcode pickletools pkgutil pyclbr runpy"
    " symtable token tokenize types typing zipimport",
}
LEFT_OUT = frozenset(
    (
        "test",
        "tests",
        "idlelib",
        "tkinter",
        "turtledemo",
        "lib2to3",
        "distutils",
        "ensurepip",
        "site-packages",
        "dist-packages",
    )
)
"""Parts that an installation may lack, and other people's packages."""
WORDS = 60
FEWEST_WORDS = 5
FEWEST_EXAMPLES = 100

Definition = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class Docstring(NamedTuple):
    """One text; `unit` names the top-level class or function it is in."""

    module: str
    unit: str
    text: str


def load() -> tuple[str, datasets.DatasetDict]:
    """A hash of the content, and the splits train, test and unlabelled with text, label and cluster (the top-level
    class or function that it is in). Raises DataError."""
    import datasets

    names, found = list(AREAS), list(docstrings())
    splits, units = split_up(found), units_of(found)
    text = datasets.Value("string")
    features = datasets.Features({"text": text, "label": datasets.ClassLabel(names=names), "cluster": text})
    tables = {
        split: datasets.Dataset.from_dict(
            {
                "text": [text for text, _ in rows],
                "label": [names.index(area) if area else -1 for _, area in rows],
                "cluster": [units.get(text, "") for text, _ in rows],
            },
            features,
        )
        for split, rows in splits.items()
    }
    return hashlib.sha256(json.dumps([names, splits]).encode()).hexdigest(), datasets.DatasetDict(tables)


def units_of(docstrings: list[Docstring]) -> dict[str, str]:
    """{text as it is cut: the unit that it is in first}."""
    found: dict[str, str] = {}
    for doc in docstrings:
        found.setdefault(cut(doc.text), doc.unit)
    return found


def installed() -> Iterator[tuple[str, ast.Module]]:
    """Every source file of the standard library that can be read, as its module's path, in the order of their names."""
    root = Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).parts
        if LEFT_OUT.isdisjoint(parts):
            try:
                with warnings.catch_warnings(action="ignore"):
                    tree = ast.parse(path.read_bytes())
            except (OSError, SyntaxError, ValueError):
                continue
            yield "/".join(parts).removesuffix(".py"), tree


def docstrings() -> Iterator[Docstring]:
    """Every docstring and language topic of five words or more."""
    for module, tree in installed():
        texts = _topics(tree) if module == "pydoc_data/topics" else _docstrings(tree, "")
        for unit, text in texts:
            if len(text.split()) >= FEWEST_WORDS:
                yield Docstring(module, f"{module}:{unit}", " ".join(text.split()))


def area(module: str) -> str:
    """The area a module belongs to; empty where it is none of ours."""
    return next((name for name, modules in AREAS.items() if module.split("/")[0] in modules.split()), "")


def _docstrings(node: ast.AST, unit: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, Definition):
        yield unit, ast.get_docstring(node) or ""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.excepthandler):
            yield from _docstrings(child, unit or getattr(child, "name", None) or "")


def _topics(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield "", node.value


def split_up(docstrings: list[Docstring]) -> dict[str, list[tuple[str, str]]]:
    """Split name → (text, area); the area is empty for unlabelled texts."""
    areas: dict[str, dict[str, None]] = {}
    first: dict[str, Docstring] = {}
    for doc in docstrings:
        areas.setdefault(key_of(cut(doc.text)), {})[area(doc.module)] = None
        first.setdefault(key_of(cut(doc.text)), doc)
    train, test, rest = [], [], []
    for key, doc in first.items():
        own = next(iter(areas[key])) if len(areas[key]) == 1 else ""
        if own and tested(doc.unit):
            test.append((cut(doc.text), own))
        else:
            rest += [(passage, "") for passage in _passages(doc.text)]
            if own:
                train.append((cut(doc.text), own))
    known = {sequence for text, _ in rest for sequence in _sequences(text)}
    test = [(text, area) for text, area in test if 2 * len(_sequences(text) & known) <= len(_sequences(text))]
    for name in AREAS:
        if min([a for _, a in train].count(name), [a for _, a in test].count(name)) * 2 < FEWEST_EXAMPLES:
            raise DataError(
                f"builtin data 'python-docs': {sysconfig.get_path('stdlib')} holds too few source files about {name}; "
                "use a Python installed with its standard library's sources"
            )
    for rows in (train, test, rest):  # the areas mixed, as whoever takes the first few expects
        rows.sort(key=lambda row: hashlib.sha256(row[0].encode()).digest())
    return {"train": train, "test": test, "unlabelled": rest}


def tested(unit: str) -> bool:
    """Whether all of a top-level class or function is for testing: a third of them."""
    return int(hashlib.sha256(unit.encode()).hexdigest(), 16) % 3 == 0


def key_of(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def cut(text: str) -> str:
    return " ".join(text.split()[:WORDS])


def _passages(text: str) -> Iterator[str]:
    words = text.split()
    for start in range(0, len(words), WORDS):
        if len(words) - start >= FEWEST_WORDS:
            yield " ".join(words[start : start + WORDS])


def _sequences(text: str) -> set[tuple[str, ...]]:
    words = key_of(text).split()
    return {tuple(words[i : i + 4]) for i in range(max(1, len(words) - 3))}
