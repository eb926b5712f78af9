"""How many characters a table's columns take, and the parts of one that is too wide for its page."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import replace

from rich.cells import cell_len

from bench.report.tables import Table
from bench.report.text import clean

GAP = 3
"""Characters between two columns."""


def widths(table: Table) -> list[int]:
    """Of each column, in characters: its widest cell with room for all marks, or its head's longest word."""
    found = []
    for index, head in enumerate(table.head):
        column = [row[index] for row in [*table.rows, *table.foot]]
        text = max((cell_len(clean(cell.text)) for cell in column), default=0)
        marks = max((len(cell.marks) for cell in column), default=0)
        found.append(max(text + marks, *map(cell_len, clean(head).split()), 1))
    return found


def lines(head: str, width: int) -> list[str]:
    """A head, broken between its words only."""
    return textwrap.wrap(clean(head), max(width, 1), break_long_words=False, break_on_hyphens=False) or [""]


def parts(table: Table, width: int) -> list[Table]:
    """The table, or its columns in as few parts as fit `width` characters, evenly, each with the first column.

    A table with long text is not split: its text breaks over lines.
    """
    first, *others = widths(table)
    if "w" in table.align:
        return [table]
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
