"""Reports on results folders. `bench.report.formats` has one file a format."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.report import formats
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
    modules = [importlib.import_module(f"{formats.__name__}.{i.name}") for i in pkgutil.iter_modules(formats.__path__)]
    files = {n: data for module in modules if hasattr(module, "render") for n, data in module.render(built).items()}
    atomic.replace_folder(out, files, lambda name: STALE.fullmatch(name) is not None)
    return [out / name for name in files]
