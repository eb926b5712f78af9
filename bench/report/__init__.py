"""Reports on results folders. `bench.report.formats` has one file a format."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench import plugins
from bench.contracts import ReportFormat
from bench.store import atomic

if TYPE_CHECKING:
    from bench.analysis.frame import Results

STALE = re.compile(
    r"(also_test|setup)\.csv"
    r"|tables/(table-\d+|(scores|also-test|costs|forgetting|after|failures|not-applicable|setup)(-[a-z0-9-]+)?)\.tex"
    r"|(learning-curves|label-noise)(-\d+)?(-[A-Z]|-E\d+)?\.(png|pdf|tex)"
)
"""Files of an earlier report that this one may not need: the records say how many there are."""


def write(results: Sequence[Results], out: Path) -> list[Path]:
    """Write every format into `out` and return the files; identical records give identical bytes.

    Until all of them are on disk, an earlier report stays as it is. Files that no report writes stay where they are.
    Raises StoreError where a file cannot be written.
    """
    from bench.report.section import sections

    built = sections(results)
    formats: list[ReportFormat] = [plugins.load("formats", name) for name in plugins.names("formats")]
    files = {name: data for one in formats for name, data in one.render(built).items()}
    atomic.replace_folder(out, files, lambda name: STALE.fullmatch(name) is not None)
    return [out / name for name in files]
