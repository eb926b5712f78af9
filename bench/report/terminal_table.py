"""A table on a terminal of any width: nothing is cut, what does not fit breaks over lines. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import RenderableType
from rich.table import Table as Grid
from rich.text import Text

from bench.printable import printable
from bench.report import column_widths
from bench.report.table import Cell, Table

EDGES = 2
"""Characters of the grid's left and right edges."""
READABLE = 18
"""Characters that a column of long text needs; with less, a table stands as a list."""


def grids(table: Table, width: int) -> Iterator[RenderableType]:
    """The table in as many parts as its columns need in `width` characters."""
    room = width - EDGES
    if (texts := table.align.count("w")) and _fixed(table) + texts * READABLE > room:
        yield from _list(table, width)
        return
    for part in column_widths.parts(table, room):
        yield _grid(part, room)


def _fixed(table: Table) -> int:
    """What the columns without long text take, with the gaps between all."""
    own = zip(column_widths.widths(table), table.align, strict=True)
    return sum(width for width, align in own if align != "w") + column_widths.GAP * (len(table.align) - 1)


def _list(table: Table, width: int) -> Iterator[Text]:
    """A line for each cell, under its head, a blank line between rows."""
    for row in [*table.rows, *table.foot]:
        for head, cell in zip(table.head, row, strict=True):
            said = f"{head}: {cell.text}{cell.marks}" if head else f"{cell.text}{cell.marks}"
            first, *rest = column_widths.lines(said, width)
            lines = [first, *(f"  {line}" for line in column_widths.lines(" ".join(rest), width - 2) if rest)]
            yield Text("\n".join(lines), style="bold" if cell.bold else "")
        yield Text("")


def _grid(table: Table, room: int) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    widths = column_widths.widths(table)
    if "w" not in table.align and len(widths) > 1:
        widths[0] = max(1, min(widths[0], room - sum(widths[1:]) - column_widths.GAP * (len(widths) - 1)))
    for head, align, width in zip(table.head, table.align, widths, strict=True):
        grid.add_column(
            Text("\n".join(column_widths.lines(head, width))),
            justify="right" if align == "r" else "left",
            overflow="fold",
            width=None if "w" in table.align else width,
        )
    rooms = [max((len(cell.marks) for cell in column), default=0) for column in zip(*table.rows, strict=True)]
    for index, row in enumerate([*table.rows, *table.foot], start=1):
        texts = map(_cell, row, rooms, widths, table.align)
        grid.add_row(*texts, end_section=index == len(table.rows))
    return grid


def _cell(cell: Cell, room: int, width: int, align: str) -> Text:
    broken = [printable(cell.text)] if align == "w" else column_widths.lines(cell.text, max(width - room, 1))
    return Text("\n".join(broken) + cell.marks.ljust(room), style="bold" if cell.bold else "")
