"""The report on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from bench.printable import printable
from bench.report.section import Section
from bench.report.terminal_table import grids


def print_report(sections: Sequence[Section], console: Console) -> None:
    """Print every suite's tables and notes, or the one table that was asked for.

    Colours are the console's: rich obeys NO_COLOR.
    """
    for section in sections:
        console.rule(Text(printable(section.name)))
        console.print(Text(printable(section.headline)))
        console.print()
        for table in section.asked or section.tables:
            console.print(Text(printable(table.caption), style="italic"))
            for part in grids(table, console.width):
                console.print(part)
            for note in table.notes:
                console.print(Text(printable(note), style="dim"))
            console.print()
        for note in () if section.asked else section.notes:
            console.print(Text(printable(note)))
