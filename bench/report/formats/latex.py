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
COLUMN = 44
"""Likewise across one of two columns."""
WIDE = 4.0
"""Inches: what is wider goes across both columns."""
SHRUNK = r"width=\ifdim\linewidth<%gin \linewidth\else %gin \fi"
"""A figure's width: its own, or that of a narrower column."""
DECIMAL = re.compile(r"−?\d*\.\d")
PAGE = 0.93
"""The part of a line that a table with long text takes: column separators are not counted in it."""
LEAST, WIDEST = 0.1, 0.5
"""The parts of a line that a column of long text takes."""
MOST = 80
"""Characters of a name in a file or label."""
PREAMBLE = r"""\documentclass{article}
\usepackage[a4paper,margin=15mm]{geometry}
\usepackage{booktabs,float,graphicx}
\floatplacement{table}{H}
\floatplacement{figure}{H}
\renewenvironment{table*}{\begin{table}[H]}{\end{table}}
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


class _Escapes(dict[int, str]):
    """Characters as LaTeX, by their code points: each is looked up once."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        parts = unicodedata.normalize("NFD", character)
        if character in _SPECIAL:
            found = _SPECIAL[character]
        elif character.isascii():
            found = character
        elif len(parts) == 2 and parts[0].isascii() and parts[1] in _ACCENTS:
            found = f"\\{_ACCENTS[parts[1]]}{{{parts[0]}}}"
        else:
            found = f"\\texttt{{U+{code:04X}}}"
        self[code] = found
        return found


_ESCAPES = _Escapes()


def escape(text: object) -> str:
    """Plain text as LaTeX in ASCII that shows it as it is; what no standard font has, as its code point."""
    return printable(text).translate(_ESCAPES)


def _cell(cell: Cell, split: bool = False) -> str:
    """split: of two columns that meet at the decimal point, which only a number fills."""
    marks = rf"\rlap{{\textsuperscript{{{escape(cell.marks)}}}}}" if cell.marks else ""
    if split and not DECIMAL.match(cell.text):
        return rf"\multicolumn{{2}}{{r}}{{{_bold(cell.text, cell.bold)}{marks}}}"
    parts = cell.text.partition(".") if split else (cell.text, "", "")
    whole, rest = parts[0], parts[1] + parts[2]
    return (f"{_bold(whole, cell.bold)} & {_bold(rest, cell.bold)}" if split else _bold(whole, cell.bold)) + marks


def _bold(text: str, bold: bool) -> str:
    return rf"\textbf{{{escape(text)}}}" if bold and text else escape(text)


def _row(row: list[Cell], aligns: str, split: Sequence[bool]) -> str:
    ragged = r"\raggedright\let\\\tabularnewline "
    texts = (ragged * (align == "w") + _cell(cell, two) for cell, align, two in zip(row, aligns, split, strict=True))
    return " & ".join(texts) + r" \\"


def _head(head: str, align: str, width: int, split: bool) -> str:
    """Long heads stand in several lines."""
    lines = [escape(line) for line in column_widths.lines(head, width)]
    text = r" \\ ".join(lines)
    shown = rf"\begin{{tabular}}[b]{{@{{}}{align}@{{}}}}{text}\end{{tabular}}" if lines[1:] else text
    return rf"\multicolumn{{2}}{{r}}{{{shown}}}" if split else shown


def _decimal(table: Table) -> list[bool]:
    """Of each column whether its numbers are to be aligned at their decimal points."""
    columns = zip(*[*table.rows, *table.foot], strict=True) if table.rows else ((),) * len(table.head)
    found = []
    for align, column in zip(table.align, columns, strict=True):
        numbers = [cell.text for cell in column if cell.text[:1].isdigit() or cell.text[:1] in (".", "−")]
        found.append(align == "r" and bool(numbers) and all(DECIMAL.match(text) for text in numbers))
    return found


def _tabular(table: Table, split: Sequence[bool]) -> Iterator[str]:
    heads = zip(table.head, table.align.replace("w", "l"), column_widths.widths(table), split, strict=True)
    text = rf"p{{{_text(table):.2f}\linewidth}}"
    aligns = (r"r@{}l" if two else align.replace("w", text) for align, two in zip(table.align, split, strict=True))
    yield rf"\begin{{tabular}}{{{''.join(aligns)}}}"
    yield r"\toprule"
    yield " & ".join(_head(*head) for head in heads) + r" \\"
    yield r"\midrule"
    yield from (_row(row, table.align, split) for row in table.rows)
    if table.foot:
        yield r"\midrule"
        yield from (_row(row, table.align, split) for row in table.foot)
    yield r"\bottomrule"
    yield r"\end{tabular}"


def _text(table: Table) -> float:
    """The part of a line that each column of long text takes: what the others leave."""
    widths = zip(column_widths.widths(table), table.align, strict=True)
    fixed = sum(width for width, align in widths if align != "w") + 2 * len(table.align)
    return min(WIDEST, max(LEAST, (PAGE - fixed / WIDTH) / max(1, table.align.count("w"))))


def _environment(table: Table) -> str:
    """A float as wide as a column of a two-column page where that is enough, else as the page."""
    widths = column_widths.widths(table)
    narrow = "w" not in table.align and sum(widths) + column_widths.GAP * len(widths[1:]) <= COLUMN
    return "table" if narrow else "table*"


def _float(
    table: Table, environment: str, parts: Sequence[tuple[Table, list[bool]]], label: str, number: int, rows: slice
) -> Iterator[str]:
    """Some rows of a table. parts: of its columns, each with those that are aligned at the decimal point."""
    yield rf"\begin{{{environment}}}"
    yield r"\centering\footnotesize\setlength{\tabcolsep}{5pt}"
    yield rf"\caption{{{escape(table.caption)}{f' Part {number}.' * (number > 1)}}}"
    yield rf"\label{{tab:{label}{f'-part-{number}' * (number > 1)}}}"
    for part, split in parts:
        if part is not parts[0][0]:
            yield r"\par\medskip"
        foot = part.foot if rows.stop >= len(part.rows) else []
        yield from _tabular(replace(part, rows=part.rows[rows], foot=foot), split)
    if table.notes:
        yield rf"\par\smallskip\parbox{{0.95\linewidth}}{{\footnotesize {' '.join(map(escape, table.notes))}}}"
    yield rf"\end{{{environment}}}"


def _table(table: Table, label: str) -> str:
    room = WIDTH * _text(table)
    parts = [(part, _decimal(part)) for part in column_widths.parts(table, WIDTH)]
    borders, used = [0], 0
    for number, row in enumerate(table.rows):
        lines = len(parts) * _lines(table, row, room)
        if used + lines > ROWS and number > borders[-1]:
            borders.append(number)
            used = 0
        used += lines
    ends, environment = itertools.pairwise([*borders, len(table.rows)]), _environment(table)
    floats = (_float(table, environment, parts, label, n, slice(*rows)) for n, rows in enumerate(ends, start=1))
    return "\n".join(line for lines in floats for line in lines) + "\n"


def _lines(table: Table, row: list[Cell], room: float) -> int:
    """How many lines a row takes, about. room: characters of a column of long text."""
    return (
        max(-(-len(cell.text) // int(room)) if a == "w" else 1 for cell, a in zip(row, table.align, strict=True)) or 1
    )


def _figure(figure: Figure, label: str) -> str:
    """A figure's file is looked for beside the document, or where its \\graphicspath says."""
    environment = "figure" if figure.width < WIDE else "figure*"
    return "\n".join(
        [
            rf"\begin{{{environment}}}",
            r"\centering",
            rf"\includegraphics[{SHRUNK % (figure.width, figure.width)}]{{{figure.stem}}}",
            rf"\caption{{{escape(figure.caption)}}}",
            rf"\label{{fig:{label}}}",
            rf"\end{{{environment}}}",
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
