"""The report's tables as LaTeX: one file each, needing booktabs alone, and a document that holds them all."""

from __future__ import annotations

import contextlib
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.report.section import Section
from bench.report.tables import Cell, Table
from bench.report.text import clean
from bench.store import atomic

ROWS = 40
"""A float cannot break across pages, so longer tables become several."""
_SPECIAL = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''", "`": r"\`{}"},
    **{"±": r"$\pm$", "−": r"$-$", "×": r"$\times$", "µ": r"$\mu$", "–": "--", "…": r"\ldots{}"},
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
    return "".join(map(_character, clean(text)))


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    marks = rf"\rlap{{\textsuperscript{{{escape(cell.marks)}}}}}" if cell.marks else ""
    return (rf"\textbf{{{text}}}" if cell.bold else text) + marks


def _row(row: list[Cell]) -> str:
    return " & ".join(map(_cell, row)) + r" \\"


def _head(text: str) -> str:
    """Commas break long heads over lines."""
    lines = r" \\ ".join(escape(part) for part in text.split(", "))
    return rf"\begin{{tabular}}[b]{{@{{}}c@{{}}}}{lines}\end{{tabular}}" if ", " in text else escape(text)


def _float(table: Table, rows: list[list[Cell]], foot: list[list[Cell]]) -> Iterator[str]:
    wide = len(table.head) > 7
    columns = table.align.replace("w", r"p{0.22\linewidth}") if wide else table.align.replace("w", r"p{0.5\linewidth}")
    yield r"\begin{table}[htbp]"
    yield r"\centering" + (r"\scriptsize\setlength{\tabcolsep}{3pt}" if wide else r"\small")
    yield rf"\caption{{{escape(table.caption)}}}"
    yield rf"\begin{{tabular}}{{{columns}}}"
    yield r"\toprule"
    yield " & ".join(map(_head, table.head)) + r" \\"
    yield r"\midrule"
    yield from map(_row, rows)
    if foot:
        yield r"\midrule"
        yield from map(_row, foot)
    yield r"\bottomrule"
    yield r"\end{tabular}"
    if table.notes:
        yield rf"\par\smallskip\parbox{{0.95\linewidth}}{{\footnotesize {' '.join(map(escape, table.notes))}}}"
    yield r"\end{table}"


def _table(table: Table) -> str:
    starts = range(0, len(table.rows), ROWS)
    parts = [_float(table, table.rows[i : i + ROWS], table.foot if i == starts[-1] else []) for i in starts]
    return "\n".join(line for part in parts for line in part) + "\n"


def _document(sections: Sequence[Section], files: list[list[Path]]) -> Iterator[str]:
    yield r"\documentclass{article}"
    yield r"\usepackage[a4paper,margin=15mm]{geometry}"
    yield r"\usepackage{booktabs}"
    yield r"\begin{document}"
    for section, paths in zip(sections, files, strict=True):
        yield rf"\section*{{{escape(section.name)}}}"
        for number, path in enumerate(paths, start=1):
            yield rf"\input{{tables/{path.stem}}}"
            if number % 3 == 0 or number == len(paths):  # before LaTeX has too many floats waiting
                yield r"\clearpage"
        if section.notes:
            yield r"\begin{itemize}"
            yield from (rf"\item {escape(note)}" for note in section.notes)
            yield r"\end{itemize}"
    yield r"\end{document}"


def write(sections: Sequence[Section], out: Path) -> list[Path]:
    """Write `tables/table-NN.tex`, numbered through the report, and `report.tex`."""
    for old in (out / "tables").glob("table-*.tex"):
        with contextlib.suppress(OSError):
            old.unlink()
    files: list[list[Path]] = []
    number = 0
    for section in sections:
        files.append([])
        for table in section.tables:
            number += 1
            path = out / "tables" / f"table-{number:02}.tex"
            atomic.write_text(path, _table(table))
            files[-1].append(path)
    document = out / "report.tex"
    atomic.write_text(document, "\n".join(_document(sections, files)) + "\n")
    return [document, *(path for paths in files for path in paths)]
