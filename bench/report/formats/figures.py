"""Learning curves and label noise, as PNG, PDF and SVG fit for print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.contracts import ReportFormat

if TYPE_CHECKING:
    from bench.report.section import Section


class Figures(ReportFormat):
    """Every figure, as PNG, PDF and SVG."""

    def render(self, sections: Sequence[Section]) -> dict[str, bytes]:
        """`learning-curves.png`, `label-noise.pdf`, … without dates or versions in them."""
        from bench.report import drawing

        return drawing.files(figure for section in sections for figure in section.figures)
