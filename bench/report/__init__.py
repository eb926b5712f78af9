"""Reports on results folders. `bench.report.formats` has one file a format."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench import plugins
from bench.contracts import ReportFormat
from bench.errors import UsageError
from bench.store import atomic, paths

if TYPE_CHECKING:
    from bench.analysis.pivot import Asked
    from bench.report.section import Section

STALE = re.compile(
    r"(also_test|setup)\.csv|asked\.(csv|parquet)"
    r"|tables/(table-\d+|(answers|overview|verdicts|verdict-numbers|verdict-quality|across|asked|reported|scores|also-test"
    r"|costs|forgetting|after|failures|not-applicable|setup)(-[a-z0-9-]+)?)\.tex"
    r"|(learning-curves|label-noise)(-\d+)?(-[A-Z]|-E\d+)?\.(png|pdf|svg|tex)"
)
"""Files of an earlier report that this one may not need: the records say how many there are."""


def report(results: Path, out: Path | None = None, asked: Asked | None = None) -> Iterator[tuple[Section, list[Path]]]:
    """Of each suite below (or at) a folder what its report says, and the files of it.

    asked: a table of one's own, which opens it; out: where a folder of each suite's name is made; default: a folder
    `report` in each suite's results.
    Raises UsageError where there are no results, or where `out` holds some; StoreError.
    """
    from bench.analysis import frame
    from bench.report.section import sections

    for found in frame.load(results):
        target = out / found.folder.name if out else paths.report(found.folder)
        if paths.holds_results(target):
            raise UsageError(
                f"{target}: holds results, and no report is written among them; name another folder as --out"
            )
        (section,) = sections([found], asked)
        yield section, write([section], target)


def write(built: Sequence[Section], out: Path) -> list[Path]:
    """Write every format into `out` and return the files; identical records give identical bytes.

    Until all of them are on disk, an earlier report stays as it is. Files that no report writes stay where they are.
    Raises StoreError where a file cannot be written.
    """
    formats: list[ReportFormat] = [plugins.load("formats", name) for name in plugins.names("formats")]
    files = {name: data for one in formats for name, data in one.render(built).items()}
    atomic.replace_folder(out, files, lambda name: STALE.fullmatch(name) is not None)
    return [out / name for name in files]
