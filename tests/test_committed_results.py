"""The reports under results/ are what this version makes of their records: who changes a report writes them anew."""

from pathlib import Path

import pytest

from bench.analysis import frame
from bench.report.formats.latex import Latex
from bench.report.formats.markdown import Markdown
from bench.report.section import sections

RESULTS = Path(__file__).parents[1] / "results"


@pytest.mark.parametrize("name", ["learning-rates", "nlp-small", "sentiment-small"])
def test_a_committed_report_is_up_to_date(name: str) -> None:
    built = sections(frame.load(RESULTS / name))
    for rendered in (Markdown().render(built), Latex().render(built)):
        for file, data in rendered.items():
            assert (RESULTS / name / "report" / file).read_bytes() == data, f"run `bench report results/{name}`"
