"""Published numbers stand beside ours, with the interval of the difference."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from factory import Factory

from bench import api
from bench.analysis import frame
from bench.analysis.reported import reported
from bench.errors import SuiteError
from bench.report.section import sections

ROOT = Path(__file__).parent.parent


def told(**more: object) -> dict[str, object]:
    return {
        "task": "sst2",
        "regime": "lora",
        "size": 64,
        "metric": "accuracy",
        "value": 0.9,
        "source": "A paper",
        **more,
    }


def made(folder: Path, *entries: dict[str, object]) -> Path:
    factory = Factory(folder)
    factory.cell("lora", 64, 0.8, also=None)
    factory.cell("full", 64, None)
    factory.plan["reported"] = list(entries)
    return factory.finish()


def test_the_difference_holds_both_intervals(tmp_path: Path) -> None:
    (results,) = frame.load(made(tmp_path / "r", told(), told(spread=0.02, seeds=4), told(spread=0.02)))
    cells = frame.cells([results])
    exact, both, unknown = (row for _, row in reported(results, cells).iterrows())
    ours = cells[cells["regime"] == "lora"].iloc[0]
    assert exact["difference"] == pytest.approx(ours["mean"] - 0.9)
    half = (ours["high"] - ours["low"]) / 2
    assert exact["difference_high"] - exact["difference"] == pytest.approx(half)
    assert both["difference_high"] - both["difference"] == pytest.approx(math.hypot(half, 1.959964 * 0.02 / 2))
    assert unknown["difference_high"] == exact["difference_high"]  # a spread over nobody knows how many runs


def test_what_has_not_run_is_said(tmp_path: Path) -> None:
    (section,) = sections(frame.load(made(tmp_path / "r", told(), told(regime="full"), told(size=128))))
    (table,) = section.reported
    assert [row[6].text.split(" ")[0] == "not" for row in table.rows] == [False, True, True]
    assert [row[7].text == "–" for row in table.rows] == [False, True, True]
    assert table.rows[0][8].text == "A paper"


def test_nothing_published_is_no_table(tmp_path: Path) -> None:
    (section,) = sections(frame.load(made(tmp_path / "r")))
    assert section.reported == []
    assert "Reported and ours" not in [part.title for part in section.parts]


def test_the_lora_papers_numbers_come_with_its_suite() -> None:
    suite = api.load_suite(ROOT / "suites" / "glue-lora.yaml")
    found = {one.task: one for one in suite.reported}
    assert found.keys() == suite.tasks.keys()
    assert (found["cola"].metric, found["cola"].value, found["cola"].spread) == ("matthews", 0.634, 0.012)
    assert api.plan(suite).to_json()["reported"][0]["value"] == 0.875


def test_names_that_are_none_are_found(tmp_path: Path) -> None:
    text = (ROOT / "suites" / "glue-lora.yaml").read_text()
    file = tmp_path / "glue.yaml"
    file.write_text(
        text.replace("{task: sst2, regime: lora-sst2, metric: accuracy", "{task: sst, regime: lora, metric: acc")
    )
    with pytest.raises(SuiteError) as caught:
        api.load_suite(file)
    for problem in ("no task is called 'sst'", "no regime is called 'lora'", "no metric is called 'acc'"):
        assert problem in str(caught.value)
