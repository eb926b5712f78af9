"""The contract of exports."""

from __future__ import annotations

import abc
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from bench.contracts.plugin import Plugin

if TYPE_CHECKING:
    from bench.analysis.results import Results


class Export(Plugin):
    """Results in the form of another program, a registry or a paper."""

    VERSION = 1
    MODULE: ClassVar[str] = ""
    """The library that it needs beside this program's own; empty: none."""
    EXTRA: ClassVar[str] = ""
    """The extra of this package that brings the library."""

    @abc.abstractmethod
    def export(self, results: Results, out: Path) -> list[Path]:
        """Write one suite's results into `out`, which may be there already; what was written. Raises StoreError, and
        UsageError where nothing in them can be said in this form."""
