"""What is wrong with the rows of a split, gathered so that all of it is told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from bench.errors import DataError

SHOWN = 3
"""Rows, and kinds of problem, that are named; of the others there is a count."""
T = TypeVar("T")
U = TypeVar("U")


@dataclass
class _Kind:
    column: str | None
    said: str
    rows: list[int] = field(default_factory=list)


class RowsError(DataError):
    """Rows that are not as the task needs them. kinds: what is wrong, and where."""

    def __init__(self, place: str, kinds: Sequence[_Kind], where: Callable[[list[int]], str] = lambda rows: "") -> None:
        told = [_told(place, kind, where) for kind in kinds[:SHOWN]]
        more = len(kinds) - SHOWN
        super().__init__("; also ".join(told) + (f"; also {more} problems more" if more > 0 else ""))
        self.place, self.kinds = place, kinds

    def at(self, where: Callable[[list[int]], str]) -> RowsError:
        """The same with the places of the first rows in their file. where: rows → `data.csv:3, 5`, or nothing."""
        return RowsError(self.place, self.kinds, where)


class Problems:
    """Gathers what is wrong with a split's rows. place: what the split is called in messages."""

    def __init__(self, place: str) -> None:
        self.place = place
        self._kinds: dict[tuple[str | None, str], _Kind] = {}

    def add(self, row: int, column: str | None, said: str, kind: str | None = None) -> None:
        """A row that cannot be used, and what to do about it. kind: what it has in common with others, of which the
        first is described; default: what is said."""
        found = self._kinds.setdefault((column, said if kind is None else kind), _Kind(column, said))
        found.rows.append(row)

    def each(self, values: Iterable[T], column: str, read: Callable[[T, str], U]) -> list[U]:
        """`read(value, place)` of every value; where it raises a DataError, that is one of the problems."""
        found = []
        for row, value in enumerate(values):
            try:
                found.append(read(value, ""))
            except DataError as error:
                self.add(row, column, str(error).lstrip(":, "), "")
        return found

    def check(self) -> None:
        """Raises RowsError where there is anything wrong."""
        if self._kinds:
            raise RowsError(self.place, list(self._kinds.values()))


def _told(place: str, kind: _Kind, where: Callable[[list[int]], str]) -> str:
    shown, count = kind.rows[:SHOWN], len(kind.rows)
    file = where(shown)
    rows = ", ".join(map(str, shown)) + (", …" if count > SHOWN else "")
    if count == 1:
        named = f"row {rows}" + (f" ({file})" if file else "")
    else:
        named = f"{count} rows ({rows}{f'; {file}' if file else ''}{', …' if file and count > SHOWN else ''})"
    return f"{place}, {named}{f', column {kind.column!r}' if kind.column else ''}: {kind.said}"
