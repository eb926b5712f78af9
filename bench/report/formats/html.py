"""The report as one page that needs no network: `report.html`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.contracts import ReportFormat

if TYPE_CHECKING:
    from bench.report.section import Section


class Html(ReportFormat):
    """A page to read in a browser, with charts that lead to the trials behind them."""

    def render(self, sections: Sequence[Section]) -> dict[str, bytes]:
        """`report.html`."""
        from bench.report.html.page import render

        return {"report.html": render(sections)}
