"""The report's tables as LaTeX: one file each, needing booktabs alone, and a document of all and the figures.

Each has a label: `tab:<suite>-scores-<task>-<model>`, `fig:<suite>-learning-curves`.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from bench.contracts import ReportFormat
from bench.printable import printable
from bench.report import column_widths

if TYPE_CHECKING:
    from bench.report.section import Figure, Section
    from bench.report.table import Cell, Table

ROWS = 40
"""A float cannot break across pages, so longer tables become several."""
WIDTH = 105
"""Characters of \\footnotesize, with the room between columns, across a portrait page."""
TEXT = {1: 0.5, 2: 0.33, 3: 0.22, 4: 0.17, 5: 0.14}
"""The part of a line that a column of long text takes, by how many of them there are."""
MOST = 80
"""Characters of a name in a file or label."""
PREAMBLE = r"""\documentclass{article}
\usepackage[a4paper,margin=15mm]{geometry}
\usepackage{booktabs,float,graphicx}
\floatplacement{table}{H}
\floatplacement{figure}{H}
\setlength{\belowcaptionskip}{4pt}
\makeatletter
\def\maxwidth{\ifdim\Gin@nat@width>\linewidth\linewidth\else\Gin@nat@width\fi}
\def\maxheight{\ifdim\Gin@nat@height>.9\textheight.9\textheight\else\Gin@nat@height\fi}
\makeatother
\setkeys{Gin}{width=\maxwidth,height=\maxheight,keepaspectratio}
\begin{document}"""
_SPECIAL = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''", "`": r"\`{}"},
    **{"±": r"$\pm$", "−": r"$-$", "×": r"$\times$", "→": r"$\to$", "µ": r"$\mu$", "–": "--", "…": r"\ldots{}"},
    **{"†": r"$\dagger$", "‡": r"$\ddagger$", "-": "-{}", "'": "'{}", "?": "?{}", "!": "!{}", "[": "{[}"},
}
_ACCENTS = dict(zip("\u0300\u0301\u0302\u0303\u0308\u030a\u0327\u030c", "`'^~\"rcv", strict=True))


def _character(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    if character.isascii():
        return character
    parts = unicodedata.normalize("NFD", character)
    if len(parts) == 2 and parts[0].isascii() and parts[1] in _ACCENTS:
        return f"\\{_ACCENTS[parts[1]]}{{{parts[0]}}}"
    return f"\\texttt{{U+{ord(character):04X}}}"


def escape(text: object) -> str:
    """Plain text as LaTeX in ASCII that shows it as it is; what no standard font has, as its code point."""
    return "".join(map(_character, printable(text)))


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    marks = rf"\rlap{{\textsuperscript{{{escape(cell.marks)}}}}}" if cell.marks else ""
    return (rf"\textbf{{{text}}}" if cell.bold else text) + marks


def _row(row: list[Cell], aligns: str) -> str:
    ragged = r"\raggedright\let\\\tabularnewline "
    texts = (ragged * (align == "w") + _cell(cell) for cell, align in zip(row, aligns, strict=True))
    return " & ".join(texts) + r" \\"


def _head(head: str, align: str, width: int) -> str:
    """Long heads stand in several lines."""
    lines = [escape(line) for line in column_widths.lines(head, width)]
    text = r" \\ ".join(lines)
    return rf"\begin{{tabular}}[b]{{@{{}}{align}@{{}}}}{text}\end{{tabular}}" if lines[1:] else text


def _tabular(table: Table) -> Iterator[str]:
    heads = zip(table.head, table.align.replace("w", "l"), column_widths.widths(table), strict=True)
    text = rf"p{{{TEXT.get(table.align.count('w'))}\linewidth}}"
    yield rf"\begin{{tabular}}{{{table.align.replace('w', text)}}}"
    yield r"\toprule"
    yield " & ".join(_head(*head) for head in heads) + r" \\"
    yield r"\midrule"
    yield from (_row(row, table.align) for row in table.rows)
    if table.foot:
        yield r"\midrule"
        yield from (_row(row, table.align) for row in table.foot)
    yield r"\bottomrule"
    yield r"\end{tabular}"


def _float(table: Table, label: str, number: int, first: int, last: int) -> Iterator[str]:
    yield r"\begin{table}"
    yield r"\centering\footnotesize\setlength{\tabcolsep}{5pt}"
    yield rf"\caption{{{escape(table.caption)}{f' Part {number}.' * (number > 1)}}}"
    yield rf"\label{{tab:{label}{f'-part-{number}' * (number > 1)}}}"
    for number, part in enumerate(column_widths.parts(table, WIDTH)):
        if number:
            yield r"\par\medskip"
        yield from _tabular(replace(part, rows=part.rows[first:last], foot=part.foot if last >= len(part.rows) else []))
    if table.notes:
        yield rf"\par\smallskip\parbox{{0.95\linewidth}}{{\footnotesize {' '.join(map(escape, table.notes))}}}"
    yield r"\end{table}"


def _table(table: Table, label: str) -> str:
    borders, used, parts = [0], 0, len(column_widths.parts(table, WIDTH))
    for number, row in enumerate(table.rows):
        lines = parts * _lines(table, row)
        if used + lines > ROWS and number > borders[-1]:
            borders.append(number)
            used = 0
        used += lines
    ends = itertools.pairwise([*borders, len(table.rows)])
    floats = (_float(table, label, number, *ends) for number, ends in enumerate(ends, start=1))
    return "\n".join(line for lines in floats for line in lines) + "\n"


def _lines(table: Table, row: list[Cell]) -> int:
    """How many lines a row takes, about."""
    room = WIDTH * TEXT.get(table.align.count("w"), 1)
    return (
        max(-(-len(cell.text) // int(room)) if a == "w" else 1 for cell, a in zip(row, table.align, strict=True)) or 1
    )


def _figure(figure: Figure, label: str) -> str:
    """A figure's file is looked for beside the document, or where its \\graphicspath says."""
    return "\n".join(
        [
            r"\begin{figure}",
            r"\centering",
            rf"\includegraphics{{{figure.stem}}}",
            rf"\caption{{{escape(figure.caption)}}}",
            rf"\label{{fig:{label}}}",
            r"\end{figure}",
            "",
        ]
    )


def _slug(text: str) -> str:
    """A name as files and labels may have it: small ASCII letters, digits and dashes."""
    plain = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MOST].rstrip("-") or "x"


def _names(sections: Sequence[Section]) -> list[list[str]]:
    """A name for each table, from what it is of and not from where it stands; those of one name get numbers."""
    taken: set[str] = set()
    names = []
    for section in sections:
        own = []
        for table in section.tables:
            slug = _slug(table.name)
            own.append(
                next(n for n in itertools.chain([slug], (f"{slug}-{i}" for i in itertools.count(2))) if n not in taken)
            )
            taken.add(own[-1])
        names.append(own)
    return names


def _document(sections: Sequence[Section], names: list[list[str]]) -> Iterator[str]:
    yield PREAMBLE
    for section, tables in zip(sections, names, strict=True):
        yield rf"\section*{{{escape(section.name)}}}"
        yield escape(section.headline)
        names_left = iter(tables)
        for part in section.parts:
            yield from (rf"\input{{tables/{name}}}" for name in itertools.islice(names_left, len(part.tables)))
            yield from (rf"\input{{{figure.stem}}}" for figure in part.figures)
        if section.notes:
            yield r"\begin{itemize}"
            yield from (rf"\item {escape(note)}" for note in section.notes)
            yield r"\end{itemize}"
    yield r"\end{document}"


class Latex(ReportFormat):
    """A document for print, and its tables one by one."""

    def render(self, sections: Sequence[Section]) -> dict[str, bytes]:
        """`report.tex`; a file for each table in `tables/` and for each figure, named and labelled by what it is of."""
        names = _names(sections)
        files = {"report.tex": "\n".join(_document(sections, names)) + "\n"}
        for section, own in zip(sections, names, strict=True):
            suite = _slug(section.name)
            for name, table in zip(own, section.tables, strict=True):
                files[f"tables/{name}.tex"] = _table(table, f"{suite}-{name}")
            files |= {f"{figure.stem}.tex": _figure(figure, f"{suite}-{figure.stem}") for figure in section.figures}
        return {name: text.encode() for name, text in files.items()}
