"""A table, as cells of plain text and marks; each format renders it in its own way. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field

LONG = 30
"""Longer texts break over lines."""


@dataclass(frozen=True)
class Cell:
    """One text, perhaps bold, with marks that the table's notes explain."""

    text: str
    bold: bool = False
    marks: str = ""


@dataclass(frozen=True)
class Table:
    """`align` has one letter a column: l, c, r, or w for long text. `foot` rows stand below a rule.

    name: what it is of, by which files and labels call it; it says nothing of where it stands.
    """

    caption: str
    head: list[str]
    align: str
    rows: list[list[Cell]]
    foot: list[list[Cell]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    name: str = ""

    def under(self, title: str) -> str:
        """The caption below a heading, which it does not say again; empty where it says nothing else."""
        rest = self.caption.removeprefix(title)
        if rest == self.caption or rest[0] not in ".:":
            return self.caption
        rest = rest[1:].strip()
        return rest[:1].upper() + rest[1:]


def cells(*texts: object) -> list[Cell]:
    """One row of plain cells."""
    return [Cell(str(text)) for text in texts]
