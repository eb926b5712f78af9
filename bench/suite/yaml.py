"""YAML 1.2 text to plain values, with the line of everything in it and every problem at once.

Scalars follow the core schema of YAML 1.2.2 (section 10.3.2). Tags, anchors, aliases, merge keys, duplicate keys, deep
nesting and huge files are refused: a suite must mean to its reader what it means to the program.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from bench.errors import SuiteError

MAX_BYTES = 1_000_000
MAX_DEPTH = 12
MAX_VALUES = 20_000
"""Keys, texts, lists and mappings in one file: reading and checking them takes well below a second."""
MAX_PROBLEMS = 300

Path = tuple[str | int, ...]
"""Where a value is: `("tasks", "sst2", "labels", 0)`."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONSTANTS = dict.fromkeys(("", "~", "null", "Null", "NULL")) | {
    word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")
}
_NUMBERS = (
    (re.compile(r"[-+]?[0-9]{1,40}"), int),
    (re.compile(r"0o[0-7]{1,40}"), lambda text: int(text[2:], 8)),
    (re.compile(r"0x[0-9a-fA-F]{1,40}"), lambda text: int(text, 16)),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
    (re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"), lambda text: float(text.replace(".", ""))),
)
_SHARED = "put what tasks share under defaults"
_UNFIT = re.compile("[\0\ud800-\udfff]")


def scalar(text: str) -> bool | int | float | str | None:
    """What a plain (unquoted) scalar means in YAML 1.2."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    return next((read(text) for pattern, read in _NUMBERS if pattern.fullmatch(text)), text)


def spell(path: Path) -> str:
    """`tasks.sst2.labels[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


@dataclass
class Document:
    """One file's value, the line of each path in it, and the problems found so far."""

    file: str
    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[tuple[int, str]] = field(default_factory=list)
    unread: set[Path] = field(default_factory=set)
    numbered: bool = True
    """Whether there are lines to name."""
    moved: dict[Path, Path] = field(default_factory=dict)
    """Where what stands at a path was really written, if elsewhere."""

    def report(self, path: Path, problem: str, line: int | None = None) -> None:
        """Note a problem at a path: by default on its line, or that of what holds it."""
        written = next((path[:n] for n in range(len(path), 0, -1) if path[:n] in self.moved), None)
        path = path if written is None else (*self.moved[written], *path[len(written) :])
        above = [path[:n] for n in range(len(path), -1, -1)]
        if line is None:
            if not self.unread.isdisjoint(above):
                return  # what is wrong there has been said already
            line = next((self.lines[p] for p in above if p in self.lines), 1)
        self.problems.append((line, f"{spell(path)}: {problem}" if path else problem))
        if len(self.problems) >= MAX_PROBLEMS:
            raise self.refuse()

    def refuse(self) -> SuiteError:
        """The error that holds every problem, by line."""
        texts = dict.fromkeys(
            f"{self.file}:{line}: {text}" if self.numbered else f"{self.file}: {text}"
            for line, text in sorted(self.problems, key=lambda p: p[0])
        )
        return SuiteError([_printable(text) for text in texts])


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class _Walk:
    """Events to values, by recursive descent to at most MAX_DEPTH."""

    def __init__(self, text: str, document: Document) -> None:
        self.events = self._counted(yaml.parse(text, Loader=_LOADER))
        self.document = document

    @staticmethod
    def _counted(events: Iterable[Any]) -> Iterator[Any]:
        count = 0
        for event in events:
            count += isinstance(event, yaml.NodeEvent)
            if count > MAX_VALUES:
                raise yaml.MarkedYAMLError(
                    problem=f"more than {MAX_VALUES:,} values; a suite is a short text", problem_mark=event.start_mark
                )
            yield event

    def documents(self) -> None:
        count = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                count += 1
            elif isinstance(event, yaml.NodeEvent) and count == 1:
                self.document.value = self.node(event, ())
            elif isinstance(event, yaml.NodeEvent):
                self.document.report((), "a second document begins; keep one to a file", _line(event))
                return
        if not count:
            self.document.report((), "the file is empty; see `bench init` for a suite to start from", 1)

    def node(self, event: Any, path: Path) -> Any:
        self.document.lines.setdefault(path, _line(event))
        if isinstance(event, yaml.AliasEvent):
            return self._unread(event, path, f"aliases are not allowed; {_SHARED}, or write it out")
        if event.anchor is not None:
            self.document.report(path, f"anchors are not allowed; {_SHARED}", _line(event))
        if event.tag is not None:
            self._unread(event, path, f"tags are not allowed; remove {event.tag}")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        if len(path) >= MAX_DEPTH:
            raise _too_deep(event)
        return self._sequence(path) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(path)

    def _sequence(self, path: Path) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self.node(event, (*path, len(items))))
        return items

    def _mapping(self, path: Path) -> dict[str, Any]:
        pairs: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self._key(event, path)
            if key is None:
                self._skip(next(self.events))
                continue
            place = (*path, key)
            if key in pairs:
                first = self.document.lines[place]
                self.document.report(place, f"duplicate key; the first is on line {first}", _line(event))
            self.document.lines.setdefault(place, _line(event))
            value = self.node(next(self.events), place)
            pairs.setdefault(key, value)
        return pairs

    def _key(self, event: Any, path: Path) -> str | None:
        problem = None
        if not isinstance(event, yaml.ScalarEvent):
            self._skip(event)
            problem = "a key must be a plain word, not an alias, a list or a mapping"
        elif event.value == "<<" and not event.style:
            problem = f"merge keys (<<) are not allowed; {_SHARED}"
        elif event.tag is not None or event.anchor is not None:
            problem = f"key '{event.value}': tags and anchors are not allowed"
        elif _UNFIT.search(event.value):
            problem = f"key '{event.value}' holds a character that is not text"
        if problem is None:
            return str(event.value)
        self.document.report(path, problem, _line(event))
        return None

    def _scalar(self, event: Any, path: Path) -> Any:
        if _UNFIT.search(event.value):
            return self._unread(event, path, "holds a character that is not text")
        value = scalar(event.value) if not event.style else event.value
        if isinstance(value, float) and not math.isfinite(value):
            return self._unread(event, path, f"expected a finite number, found {event.value}")
        return value

    def _unread(self, event: Any, path: Path, problem: str) -> None:
        self.document.report(path, problem, _line(event))
        self.document.unread.add(path)

    def _skip(self, event: Any) -> None:
        depth = 0
        while True:
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth == 0:
                return
            if depth > MAX_DEPTH:
                raise _too_deep(event)
            event = next(self.events)


def _too_deep(event: Any) -> yaml.MarkedYAMLError:
    # Ends the reading: libyaml's time grows with the square of the depth.
    return yaml.MarkedYAMLError(problem=f"nested deeper than {MAX_DEPTH} levels", problem_mark=event.start_mark)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def read(file: str | os.PathLike[str]) -> tuple[str, Document]:
    """A file's text and what it says. Raises SuiteError when it cannot be read or is not YAML."""
    name = os.fspath(file)
    document = Document(name)
    try:
        with open(file, "rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            line = data.count(b"\n") + 1
            raise SuiteError([_printable(f"{name}:{line}: larger than {MAX_BYTES:,} bytes; a suite is a short text")])
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SuiteError([_printable(f"{name}:{line}: not UTF-8 text; save the file as UTF-8")]) from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise SuiteError([_printable(f"{name}: cannot be read: {why}; give the path of a suite file")]) from None
    try:
        _Walk(text, document).documents()
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # PyYAML's own scanner, used where libyaml is absent, lets chr() raise on an escape out of range.
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else text.count("\n", 0, getattr(error, "position", 0)) + 1
        document.report(
            (), f"cannot be read further: {getattr(error, 'problem', None) or getattr(error, 'reason', error)}", line
        )
        raise document.refuse() from None
    if document.value is None and document.problems:
        raise document.refuse()
    return text, document
