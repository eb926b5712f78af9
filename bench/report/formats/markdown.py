"""The report as one Markdown file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from bench.contracts import ReportFormat
from bench.printable import printable

if TYPE_CHECKING:
    from bench.report.section import Section
    from bench.report.table import Cell, Table

_RULES = {"l": ":--", "w": ":--", "c": ":-:", "r": "--:"}


def escape(text: object) -> str:
    """Plain text as Markdown that shows it as it is, in a table cell too."""
    return re.sub(r"([\\`*_\[\]<>|&~$#!])", r"\\\1", printable(text))


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    return (f"**{text}**" if cell.bold else text) + cell.marks


def _line(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _table(table: Table, title: str) -> Iterator[str]:
    caption = table.under(title)
    yield f"\n{escape(caption)}\n" if caption else ""
    yield _line([escape(head) for head in table.head])
    yield _line([_RULES[align] for align in table.align])
    for row in [*table.rows, *table.foot]:
        yield _line([_cell(cell) for cell in row])
    if table.notes:
        yield "\n" + " ".join(escape(note) for note in table.notes)


def _section(section: Section) -> Iterator[str]:
    yield f"# {escape(section.name)}"
    yield f"\n{escape(section.headline)}"
    for part in section.parts:
        yield f"\n## {escape(part.title)}"
        for table in part.tables:
            yield from _table(table, part.title)
        for figure in part.figures:
            yield f"\n![{escape(figure.caption)}]({figure.stem}.png)"
    if section.notes:
        yield "\n## Notes\n"
        yield from (f"- {escape(note)}" for note in section.notes)


class Markdown(ReportFormat):
    """A page to read on a screen."""

    def render(self, sections: Sequence[Section]) -> dict[str, bytes]:
        """`report.md`."""
        text = "\n\n".join("\n".join(_section(section)) for section in sections) + "\n"
        return {"report.md": text.encode()}
