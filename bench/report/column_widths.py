"""How many characters a table's columns take, and the parts of one that is too wide for its page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from rich.cells import cell_len, chop_cells

from bench.printable import printable
from bench.report.table import Table

GAP = 3
"""Characters between two columns."""
LEAST = 10
"""Characters that the first column keeps on the narrowest page."""


def widths(table: Table) -> list[int]:
    """Of each column, in characters: its widest cell with room for all marks, or its head's longest word."""
    found = []
    for index, head in enumerate(table.head):
        column = [row[index] for row in [*table.rows, *table.foot]]
        text = max((cell_len(printable(cell.text)) for cell in column), default=0)
        marks = max((len(cell.marks) for cell in column), default=0)
        found.append(max(text + marks, *map(cell_len, printable(head).split()), 1))
    return found


def lines(text: str, width: int) -> list[str]:
    """A text in lines no wider than `width`: broken after spaces and hyphens, and within a word only where it is wider
    than a line."""
    found, line = [], ""
    for word in re.findall(r"[^\s-]*-+|[^\s-]+\s*|\s+", printable(text)):
        if line and cell_len(line) + cell_len(word.rstrip()) > width:
            found.append(line.rstrip())
            line = ""
        text = line + word
        if cell_len(text.rstrip()) > width:
            *whole, line = chop_cells(text.rstrip(), max(width, 1))
            found += whole
            line += " " * text[-1:].isspace()
        else:
            line = text
    return [*found, line.rstrip()] if line.strip() or not found else found


def parts(table: Table, width: int) -> list[Table]:
    """The table, or its columns in as few parts as fit `width` characters, evenly, each with the first column.

    A table with long text is not split: its text breaks over lines.
    """
    first, *others = widths(table)
    if "w" in table.align or not others:
        return [table]
    first = min(first, max(width - GAP - max(others), LEAST))
    blocks = _blocks(others, width - first, len(others))
    if len(blocks) > 1:
        blocks = _blocks(others, width - first, -(-len(others) // len(blocks)))
    return [_columns(table, [0, *(index + 1 for index in block)]) for block in blocks]


def _blocks(columns: Sequence[int], room: int, most: int) -> list[list[int]]:
    blocks: list[list[int]] = [[]]
    used = 0
    for index, column in enumerate(columns):
        if blocks[-1] and (used + GAP + column > room or len(blocks[-1]) == most):
            blocks.append([])
            used = 0
        blocks[-1].append(index)
        used += GAP + column
    return blocks


def _columns(table: Table, chosen: Sequence[int]) -> Table:
    return replace(
        table,
        head=[table.head[i] for i in chosen],
        align="".join(table.align[i] for i in chosen),
        rows=[[row[i] for i in chosen] for row in table.rows],
        foot=[[row[i] for i in chosen] for row in table.foot],
    )
