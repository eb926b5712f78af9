"""The report on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from bench.analysis.frame import Results
from bench.report import layout
from bench.report.section import sections
from bench.report.tables import Cell, Table
from bench.report.text import clean

EDGES = 2
"""Characters of the grid's left and right edges."""


def _cell(cell: Cell, room: int) -> Text:
    return Text(clean(cell.text) + cell.marks.ljust(room), style="bold" if cell.bold else "")


def _grid(table: Table) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    for head, align, width in zip(table.head, table.align, layout.widths(table), strict=True):
        grid.add_column(
            Text("\n".join(layout.lines(head, width))),
            justify="right" if align == "r" else "left",
            overflow="fold",
            width=None if "w" in table.align else width,
        )
    rooms = [max((len(cell.marks) for cell in column), default=0) for column in zip(*table.rows, strict=True)]
    for index, row in enumerate([*table.rows, *table.foot], start=1):
        grid.add_row(*map(_cell, row, rooms), end_section=index == len(table.rows))
    return grid


def print_report(results: Sequence[Results], console: Console) -> None:
    """Print every suite's tables and notes. Colours are the console's: rich obeys NO_COLOR."""
    for section in sections(results):
        console.rule(Text(clean(section.name)))
        console.print(Text(clean(section.headline)))
        console.print()
        for table in section.tables:
            console.print(Text(clean(table.caption), style="italic"))
            for part in layout.parts(table, console.width - EDGES):
                console.print(_grid(part))
            for note in table.notes:
                console.print(Text(clean(note), style="dim"))
            console.print()
        for note in section.notes:
            console.print(Text(clean(note)))
