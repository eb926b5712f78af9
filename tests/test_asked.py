"""`bench report --rows … --columns …` gives that table, in every format; `--open` a page, or one sentence."""

from __future__ import annotations

import io
import webbrowser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner
from factory import Factory
from rich.console import Console

from bench import api, report
from bench.analysis import frame
from bench.analysis.pivot import Asked, pivot
from bench.cli import main
from bench.errors import UsageError
from bench.report import browser, terminal
from bench.report.section import sections


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    factory = Factory(tmp_path_factory.mktemp("asked") / "r")
    for task in ("sst2", "rte"):
        factory.cell("zero-shot", 0, 0.6, task=task, seeds=1)
        for size in (64, 256):
            factory.cell("lora", size, 0.7 + size / 4096, task=task)
            factory.cell("full", size, 0.75, task=task)
    return factory.finish()


def table_of(folder: Path, *args: Any) -> list[list[str]]:
    (section,) = sections(frame.load(folder), Asked(*args))
    (table,) = section.asked
    return [table.head, *([cell.text for cell in row] for row in table.rows)]


def test_cells_are_those_of_the_frame(folder: Path) -> None:
    head, *rows = table_of(folder, "regime", "size", None, ("task=sst2",))
    assert head == ["regime", "64", "256"]
    assert [row[0] for row in rows] == ["zero-shot", "lora", "full"]
    cells = frame.cells(frame.load(folder))
    for regime, *texts in rows:
        for size, text in zip((64, 256), texts, strict=True):
            (own,) = cells[(cells["task"] == "sst2") & (cells["regime"] == regime) & (cells["size"] == size)].to_dict(
                "records"
            )
            assert text == f"{own['mean']:.3f} ± {(own['high'] - own['low']) / 2:.3f} ({own['seeds']})".replace(
                "0.", "."
            )


def test_several_cells_in_a_place_are_averaged_and_that_is_said(folder: Path) -> None:
    found = frame.load(folder)[0]
    cells = frame.cells([found])
    told = pivot(found, cells, Asked("regime", "task"))
    assert told.over == ["size"]
    at = told.frame.set_index(["row", "column"])
    lora = cells[(cells["regime"] == "lora") & (cells["task"] == "rte")]
    assert at.loc[("lora", "rte"), "mean"] == pytest.approx(lora["mean"].mean())
    assert pd.isna(at.loc[("lora", "rte"), "low"])
    assert at.loc[("zero-shot", "rte"), "cells"] == 1  # it stands at every size, and is one


def test_a_cost_takes_the_place_of_a_metric(folder: Path) -> None:
    _, *rows = table_of(folder, "regime", "size", "train_seconds", ("regime=lora,full", "task=rte"))
    assert rows == [["lora", "12 s", "12 s"], ["full", "12 s", "12 s"]]


def test_another_metric_has_its_own_means_and_bests(tmp_path: Path) -> None:
    factory = Factory(tmp_path / "r")
    for regime, f1 in (("lora", 0.9), ("full", 0.4)):
        for one in factory.cell(regime, 64, None):
            factory.record(one, 0.8, also={"test": {"accuracy": 0.8, "macro-f1": f1 + one.seed / 100}}, artifacts=False)
    for one in factory.cell("retrain", 64, None):
        record = factory.record(one, 0.8, artifacts=False)
        assert "macro-f1" not in record["scores"]["test"]
    folder = factory.finish()
    # the factory's own score replaces `test`; so the records are written with both here
    (results,) = frame.load(folder)
    for record in results.records:
        if record["trial"]["names"]["regime"] != "retrain":
            record["scores"]["test"]["macro-f1"] = 0.9 if record["trial"]["names"]["regime"] == "lora" else 0.4
    told = pivot(results, frame.cells([results]), Asked("regime", "size", "macro-f1")).frame.set_index("row")
    assert told.loc["lora", "mean"] == pytest.approx(0.9)
    assert told.loc["full", "mean"] == pytest.approx(0.4)
    assert bool(told.loc["lora", "best"])
    assert told.loc["retrain", "seeds"] == 0


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("regimes", "size"), "did you mean"),
        (("size", "size"), "name two axes"),
        (("regime", "size", "acuracy"), "did you mean 'accuracy'"),
        (("regime", "size", None, ("seed=0",)), "a table of cells has"),
        (("regime", "size", None, ("task=cola",)), "no cell of nlp matches"),
    ],
)
def test_what_makes_no_table_is_refused(folder: Path, args: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        sections(frame.load(folder), Asked(*args))


def test_different_metrics_are_not_averaged(tmp_path: Path) -> None:
    factory = Factory(tmp_path / "r")
    factory.cell("lora", 64, 0.8, task="a")
    factory.cell("lora", 64, 0.8, task="b", metric="macro-f1", artifacts=False)
    with pytest.raises(UsageError, match="accuracy and macro-f1 would be averaged"):
        sections(frame.load(factory.finish()), Asked("regime", "size"))


def test_it_opens_every_format_and_is_alone_on_the_terminal(folder: Path, tmp_path: Path) -> None:
    built = sections(frame.load(folder), Asked("task", "regime", None, ("size=64",)))
    report.write(built, tmp_path)
    caption = "accuracy by task and regime (size=64)"
    for name in ("report.md", "report.html", "tables/asked.tex"):
        assert caption in (tmp_path / name).read_text().replace("\\", "").replace("{}", ""), name
    asked = pd.read_csv(tmp_path / "asked.csv")
    pd.testing.assert_frame_equal(asked, pd.read_parquet(tmp_path / "asked.parquet"), check_dtype=False)
    console = Console(file=io.StringIO(), width=200)
    terminal.print_report(built, console)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().count("95 % interval") == 1
    report.write(sections(frame.load(folder)), tmp_path)
    assert not (tmp_path / "asked.csv").exists()
    assert not (tmp_path / "tables/asked.tex").exists()


def test_parquet_holds_what_the_csv_holds(folder: Path, tmp_path: Path) -> None:
    report.write(sections(frame.load(folder)), tmp_path)
    parquet, csv = pd.read_parquet(tmp_path / "cells.parquet"), pd.read_csv(tmp_path / "cells.csv")
    assert list(parquet.columns) == list(csv.columns)
    assert parquet["mean"].tolist() == pytest.approx(csv["mean"].tolist(), nan_ok=True)
    assert parquet["size"].tolist() == csv["size"].astype(str).tolist()


def test_open_says_where_the_page_is_when_there_is_no_browser(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(webbrowser, "get", none)
    ran = CliRunner().invoke(main, ["report", str(folder), "--out", str(tmp_path), "--open"])
    assert ran.exit_code == 0, ran.output
    assert "No browser here to open" in ran.output
    assert "report.html" in ran.output


def test_open_opens_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    class Browser:
        def open_new_tab(self, url: str) -> bool:
            opened.append(url)
            return True

    monkeypatch.setattr(webbrowser, "get", Browser)
    monkeypatch.setenv("DISPLAY", ":0")
    assert browser.show(tmp_path / "report.html") is None
    assert opened == [(tmp_path / "report.html").as_uri()]


def test_from_python(folder: Path, tmp_path: Path) -> None:
    files = api.report(folder, tmp_path, asked=Asked("regime", "task", "stored_bytes"))
    assert tmp_path / folder.name / "asked.csv" in files
