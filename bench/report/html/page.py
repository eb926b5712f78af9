"""Puts the page together: what fits into its size, its style, its script, and the policy that allows these alone."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bench.analysis.frame import size_order
from bench.analysis.trials import CellTrials, of_cells
from bench.printable import printable
from bench.report.html import chart, charts, classes, every_cell, trials
from bench.report.html.looks import Look, looks
from bench.report.section import Section

MOST = {
    "answers": 120_000,
    "cells": 240_000,
    "charts": 260_000,
    "tables": 240_000,
    "classes": 160_000,
    "trials": 420_000,
}
"""Bytes of each kind of content in one page, which keeps the page below 1.5 MB however many records there are."""
MOST_NOTES = 100
NOWHERE = {"base-uri": "'none'", "form-action": "'none'"}
FIRST_OF_DETAILS = "Scores"
"""The parts before this one open the report; it and those after it are folded."""
FOLDER = Path(__file__).parent
T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """Rendered blocks under a title. count: how many there are; left_out: a sentence on those that did not fit."""

    id: str
    title: str
    blocks: list[Markup]
    count: int = 0
    left_out: str = ""
    about: str = ""

    @property
    def block(self) -> Markup:
        """All blocks as one."""
        return Markup("").join(self.blocks)


class Budget:
    """Bytes that a kind of content may still take."""

    def __init__(self, left: int) -> None:
        self._left = left

    @property
    def spent(self) -> bool:
        """Whether something did not fit."""
        return self._left < 0

    def take(self, blocks: Iterable[tuple[T, Markup]]) -> Iterator[tuple[T, Markup]]:
        """The first blocks that fit; the rest is not even rendered."""
        for one, block in blocks:
            self._left -= len(block.encode("utf-8", "replace"))
            if self._left < 0:
                return
            yield one, block


def render(sections: Sequence[Section]) -> bytes:
    """One page about all suites. The same sections give the same bytes."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=lambda value: value if isinstance(value, Markup) else printable(value),
    )  # fmt: skip
    macros: Any = environment.get_template("parts.html.j2").module
    styles, shown = [(FOLDER / "style.css").read_text()], []
    for number, section in enumerate(sections):
        found, lines = looks(section.regimes, number)
        styles.append(lines)
        shown.append(_Suite(section, number, len(sections), macros, found).content())
    style, script = "".join(styles), (FOLDER / "script.js").read_text()
    sources = {"default-src": "'none'", "script-src": digest(script), "style-src": digest(style)}
    policy = "; ".join(f"{name} {source}" for name, source in {**sources, **NOWHERE}.items())
    text = environment.get_template("page.html.j2").render(
        title=", ".join(section.name for section in sections), policy=policy, style=Markup(style),
        script=Markup(script), sections=shown,
    )  # fmt: skip
    return text.encode("utf-8", "replace")


def digest(text: str) -> str:
    """What a Content-Security-Policy calls a text that it allows."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


class _Suite:
    """One suite's content."""

    def __init__(self, section: Section, number: int, suites: int, macros: Any, found: dict[str, Look]) -> None:
        self._section, self._prefix, self._macros, self._looks = section, f"s{number}-", macros, found
        self._budget = {name: Budget(most // suites) for name, most in MOST.items()}
        self._ids: dict[tuple[Any, ...], str] = {}

    def content(self) -> dict[str, Any]:
        section = self._section
        details = self._trials()  # first: links lead to those alone that the page holds
        titles = [part.title for part in section.parts]
        first = titles.index(FIRST_OF_DETAILS) if FIRST_OF_DETAILS in titles else 0
        front = [self._tables(part.title, part.tables, "answers") for part in section.parts[:first]]
        drawn = map(self._gallery, charts.galleries(section, self._looks, self._link))
        galleries = [part for part in drawn if part.blocks or part.left_out]
        parts = [self._tables(part.title, part.tables, "tables") for part in section.parts[first:]]
        cells = self._cells()
        by_class = self._classes()
        folded = [part for part in (by_class, *parts, details) if part.count]
        notes_id = f"{self._prefix}notes"
        listed = [*front, cells, *galleries, *folded]
        return {
            "name": section.name,
            "headline": section.headline,
            "contents": [(part.id, part.title) for part in listed] + ([(notes_id, "Notes")] if section.notes else []),
            "front": front,
            "cells": cells,
            "galleries": galleries,
            "legend": [(look, chart.marker(look.marker, look.hollow)) for look in self._shown_looks()],
            "parts": folded,
            "notes": section.notes[:MOST_NOTES],
            "notes_id": notes_id,
        }

    def _shown_looks(self) -> list[Look]:
        return [self._looks[name] for name in dict.fromkeys(self._section.frame["regime"])]

    def _id(self, title: str) -> str:
        return self._prefix + "".join(c if c.isascii() and c.isalnum() else "-" for c in title.lower())

    def _part(self, title: str, kind: str, blocks: Iterable[Markup], total: int, what: str, about: str = "") -> Part:
        kept = [block for _, block in self._budget[kind].take((None, block) for block in blocks)]
        more = total - len(kept)
        left_out = (
            f"{more:,} more {what} would make this page too large; the other files of the report hold them."
            if more
            else ""
        )
        return Part(self._id(title), title, kept, total, left_out, about)

    def _tables(self, title: str, tables: Sequence[Any], kind: str) -> Part:
        return self._part(
            title, kind, (self._macros.table(table, title=title) for table in tables), len(tables), "tables"
        )

    def _gallery(self, one: charts.Gallery) -> Part:
        """Charts that do not fit are not even made, so nobody knows how many they are."""
        drawn = ((None, self._macros.chart(each.title, chart.svg(each))) for each in one.charts)
        kept = [block for _, block in self._budget["charts"].take(drawn)]
        more = "More charts would make this page too large; the other files of the report hold their numbers."
        left_out = more if self._budget["charts"].spent else ""
        return Part(self._id(one.title), one.title, kept, len(kept), left_out, one.about)

    def _cells(self) -> Part:
        rows = every_cell.distinct(self._section.frame)
        columns = every_cell.columns(rows)
        blocks = (self._macros.cell_row(columns, self._values(row, columns)) for _, row in rows.iterrows())
        part = self._part("All scores and costs", "cells", blocks, len(rows), "rows")
        return Part(part.id, part.title, [self._macros.cell_table(columns, part.block)], part.count, part.left_out)

    def _values(self, row: Any, columns: list[every_cell.Column]) -> list[every_cell.Value]:
        values = [column.value(row) for column in columns]
        href = self._link(row)
        return [
            every_cell.Value(value.text, value.sort, href if column.head == "score" else "")
            for column, value in zip(columns, values, strict=True)
        ]

    def _classes(self) -> Part:
        found = list(classes.classes(self._section))
        return self._part("Classes", "classes", (self._macros.classes(one) for one in found), len(found), "tasks")

    def _trials(self) -> Part:
        """The cells at the largest budgets first, where not all fit, and shown in the order of the plan."""
        cells = list(of_cells(self._section.results))
        order = sorted(range(len(cells)), key=lambda i: (-_rank(cells, i), i))
        blocks = ((i, self._details(i, cells[i])) for i in order)
        kept = dict(sorted(self._budget["trials"].take(blocks)))
        for index in kept:
            cell = cells[index]
            self._ids[(*trials.key(cell.cell), cell.environment)] = f"{self._prefix}c{index}"
        more = len(cells) - len(kept)
        left_out = f"{more:,} more cells would make this page too large; the records hold their trials." if more else ""
        about = (
            "What stands behind each point: configuration, training loss, costs, where it comes from, how to run it."
        )
        return Part(self._id("Trials"), "Trials", list(kept.values()), len(cells), left_out, about)

    def _details(self, index: int, cell: CellTrials) -> Markup:
        found: Markup = self._macros.details(
            trials.details(self._section, cell), f"{self._prefix}c{index}", trials.HEADS
        )
        return found

    def _link(self, row: Any) -> str:
        size = 0 if row["labels"] == 0 else row["size"]
        for noise in (row["noise"], 0.0):
            found = self._ids.get((*trials.key({**row, "size": size, "noise": noise}), row["environment"]))
            if found:
                return f"#{found}"
        return ""


def _rank(cells: Sequence[CellTrials], index: int) -> float:
    """How large a cell's budget is; what sees no label goes with the largest."""
    size = cells[index].cell["size"]
    return float("inf") if size == 0 else size_order(size)
