"""The contract of report formats."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.contracts.plugin import Plugin

if TYPE_CHECKING:
    from bench.report.section import Section


class ReportFormat(Plugin):
    """One format of a report."""

    VERSION = 1

    @abc.abstractmethod
    def render(self, sections: Sequence[Section]) -> dict[str, bytes]:
        """{file name: its content}; identical records give identical bytes."""
