"""The tidy frame as one CSV file, numbers in full precision."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.contracts import ReportFormat
from bench.printable import printable

if TYPE_CHECKING:
    from bench.report.section import Section


def escape(value: object) -> object:
    """Text that a spreadsheet would run as a formula gets an apostrophe in front."""
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.lstrip().startswith(("=", "+", "-", "@")) else text


class Csv(ReportFormat):
    """Tables of numbers for other programs."""

    def render(self, sections: Sequence[Section]) -> dict[str, bytes]:
        """`cells.csv`, `setup.csv`, `also_test.csv` where there are also_test sets, `asked.csv` where a table was asked
        for."""
        import pandas as pd

        frames = {
            "cells.csv": [section.frame for section in sections],
            "setup.csv": [section.how for section in sections],
        }
        asked = [section.asked_frame for section in sections if len(section.asked_frame)]
        if asked:
            frames["asked.csv"] = asked
        also_test = [section.also_test_scores for section in sections if len(section.also_test_scores)]
        if also_test:
            frames["also_test.csv"] = also_test
        return {
            name: pd.concat(frame).map(escape).to_csv(index=False, lineterminator="\n").encode()
            for name, frame in frames.items()
        }
