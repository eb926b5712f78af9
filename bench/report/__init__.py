"""Reports on results folders. Each module here with a `write(sections, out)` is one format, found by being there."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.analysis.frame import Results


def write(results: Sequence[Results], out: Path) -> list[Path]:
    """Write every format into `out` and return the files; identical records give identical bytes.

    Raises StoreError where a file cannot be written.
    """
    from bench.report.section import sections

    built = sections(results)
    modules = [importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    return [path for module in modules if hasattr(module, "write") for path in module.write(built, out)]
