"""Every format shows what the tidy frame holds, shows names as they are, and is the same bytes each time.

UPDATE_GOLDEN=1 writes tests/golden anew; read the difference before committing it.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest
from factory import ENVIRONMENT, OTHER, Factory, example
from rich.console import Console

from bench import report
from bench.analysis import frame
from bench.printable import printable
from bench.report import column_widths, drawing, environment, numbers, terminal
from bench.report.formats import csv, latex, markdown
from bench.report.formats.figures import Figures
from bench.report.section import sections
from bench.report.table import Table, cells
from bench.store import paths

WIDE = ("linear-probe", "partial", "lora", "lora-r64", "dora", "full", "retrain", "continued-pretraining")
GOLDEN = Path(__file__).parent / "golden"
HOSTILE = (
    "m[/bold]\x1b[31m|\\end{table}$x_1%&#~^<script>\u202e `a` **b** =1+1 ü 中"
    " \\input{/etc/passwd} $\\frac{ \x1b]0;t\x07 \u2066 \u200f <img src=x onerror=y> ![a](b) ^^M \r=cmd()"
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[frame.Results]:
    return frame.load(example(tmp_path_factory.mktemp("example") / "results"))


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> list[frame.Results]:
    """Many sizes and regimes, and many long causes."""
    factory = Factory(tmp_path_factory.mktemp("wide"))
    for regime in WIDE:
        for size in (16, 32, 64, 128, 256, 512, 1024, 2048):
            factory.cell(regime, size, 0.8, seeds=1, artifacts=False, costs={"flops": {"train": 5e13}})
    for regime in ("linear-probe", "partial", "lora"):
        factory.cell(regime, "all", None, seeds=1, state="not_applicable")
    for index in range(30):
        for one in factory.cell(f"odd-{index}", 16, None, seeds=1):
            factory.record(one, status="failed", cause=f"cause {index} of the loss that is not finite " * 4)
    return frame.load(factory.finish())


@pytest.fixture(scope="module")
def written(results: list[frame.Results], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    files = report.write(sections(results), out)
    assert sorted(files) == sorted(p for p in out.rglob("*") if p.is_file())
    return out


def printed(results: list[frame.Results], width: int = 200, **options: object) -> str:
    console = Console(file=io.StringIO(), width=width, **options)  # type: ignore[arg-type]
    terminal.print_report(sections(results), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_equal_without_an_interval_is_not_said_to_have_one(tmp_path: Path) -> None:
    factory = Factory(tmp_path / "r")
    for regime, seeds in (("lora", 1), ("full", 1), ("lora", 3), ("full", 3)):
        factory.cell(regime, 64 * seeds, 0.8, seeds=seeds, artifacts=False, task=f"seeds-{seeds}")
    said = printed(frame.load(factory.finish()), 4000)
    assert said.count("† could be best as well") == 2
    assert said.count("Of one seed nothing is claimed: lora, full.") == 1


def texts(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.suffix in (".md", ".tex")}


def test_golden_files(written: Path) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        shutil.rmtree(GOLDEN, ignore_errors=True)
        shutil.copytree(
            written, GOLDEN, ignore=shutil.ignore_patterns("*.png", "*.pdf", "*.svg", "*.html", "*.parquet")
        )
    assert texts(written) == texts(GOLDEN)
    pd.testing.assert_frame_equal(pd.read_csv(written / "cells.csv"), pd.read_csv(GOLDEN / "cells.csv"), rtol=1e-9)


def test_a_caption_does_not_say_its_heading_again(written: Path) -> None:
    heading = ""
    for line in (written / "report.md").read_text().splitlines():
        heading = line[3:] if line.startswith("## ") else heading
        assert not (heading and line.startswith((f"{heading}:", f"{heading}."))), line
    html = (written / "report.html").read_text()
    assert "<caption>Mean scores.</caption>" in html
    assert "<caption>Overview: " not in html
    assert r"\caption{Overview: mean scores.}" in (written / "tables/overview.tex").read_text()


@pytest.mark.parametrize(
    ("caption", "left"),
    [
        ("Answers.", ""),
        ("Answers: two of them.", "Two of them."),
        ("Answered.", "Answered."),
        ("Answers of all.", "Answers of all."),
    ],
)
def test_what_a_heading_leaves_of_a_caption(caption: str, left: str) -> None:
    assert Table(caption, [], "", []).under("Answers") == left


def test_identical_records_give_identical_bytes(results: list[frame.Results], written: Path, tmp_path: Path) -> None:
    report.write(sections(frame.load(results[0].folder)), tmp_path)
    for path in (p for p in written.rglob("*") if p.is_file()):
        assert (tmp_path / path.relative_to(written)).read_bytes() == path.read_bytes(), path


def test_the_figures_carry_no_date_and_no_version(written: Path) -> None:
    for path in written.glob("*.p[dn][fg]"):
        assert not any(word in path.read_bytes() for word in (b"Matplotlib", b"matplotlib", b"CreationDate"))
    for path in written.glob("*.svg"):
        assert not any(word in path.read_text() for word in (mpl.__version__, "dc:date", "Matplotlib v"))
    assert {p.stem for p in written.glob("*.svg")} == {p.stem for p in written.glob("*.pdf")}
    assert {p.stem for p in written.glob("*.pdf")} == {"learning-curves", "label-noise"}


def test_no_cell_is_blank(results: list[frame.Results]) -> None:
    (section,) = sections(results)
    for table in section.tables:
        for row in [*table.rows, *table.foot]:
            assert len(row) == len(table.head) == len(table.align)
            assert all(cell.text.strip() for cell in row)


def test_every_score_table_has_the_baseline_and_zero_shot_at_every_size(results: list[frame.Results]) -> None:
    (section,) = sections(results)
    assert len(section.scores) == 3
    for table in section.scores:
        assert [row[0].text for row in table.foot] == ["majority class", "TF-IDF, linear"]
    for table in (t for t in section.scores if "large" in t.caption):
        assert [cell.text for cell in table.foot[0][1:]] == [".508"] * 4
        assert [cell.text for cell in table.foot[1][1:]] == [".553", ".563", ".601", ".650"]
        zero = next(row for row in table.rows if row[0].text == "zero-shot (no labels)")
        assert len({cell.text for cell in zero[1:]}) == 1
        for column in list(zip(*table.rows, strict=True))[1:]:
            assert any(cell.bold for cell in column)


def test_failures_and_what_is_left_out_are_shown(written: Path) -> None:
    text = (written / "report.md").read_text()
    for words in (
        "out of device memory",
        "CUDA out of memory: tried to allocate 2 GiB",
        "the loss is not finite at step 12",
        "waiting for tuning",
        "not applicable",
        "the model has no head",
        "(1 of 3)",
        "records/torn.jsonl:1: not whole JSON",
        "an earlier version of the suite): 1",
        "disagree",
        "| environment | CPU, 1 thread, fp32, Test CPU, Linux, Python 3.11.0, torch 9.9, numpy 2.0 |",
        "zero-shot: mean over 3 templates, .730 to .760 each.",
        "Means without the seeds that failed: partial at 256 (1 diverged).",
        "| lora | .810 → .770 (3) | 2.250 → 2.500 (3) |",
        "| digits | minilm | all | any | the model has no head |",
        "95 % intervals over seeds and test examples",
        "over test examples alone: zero-shot",
        "200 test examples",
        "20 % of the labels wrong",
        "† could be best as well",
        "‡ tuning chose the outermost value that it tried, for 3 of 3 seeds.",
    ):
        assert words in text, words


def test_device_columns_only_where_there_is_data(results: list[frame.Results], tmp_path: Path) -> None:
    named = {row[0].text for row in sections(results)[0].costs[0].rows}
    assert "training" in named
    assert not any("device" in name or "energy" in name for name in named)
    factory = Factory(tmp_path)
    factory.cell("lora", 64, 0.8, costs={"memory_bytes": {"train_reserved": 3e9}, "energy_joules": {"train": 1200}})
    (table,) = sections(frame.load(factory.finish()))[0].costs
    assert table.head == ["", "lora"]
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["training", "12 s"],
        ["device memory, training", "3.0 GB"],
        ["energy, training", "1.2 kJ"],
    ]


def test_what_no_regime_can_do_stands_in_one_row_alone(results: list[frame.Results]) -> None:
    (section,) = sections(results)
    assert not any("digits" in table.caption for table in [*section.scores, *section.costs])
    assert not any((figure.rows["task"] == "digits").any() for figure in section.figures)
    rows = [[cell.text for cell in row] for row in section.failures[-1].rows]
    assert [row for row in rows if row[0] == "digits"] == [["digits", "minilm", "all", "any", "the model has no head"]]


def test_what_some_cannot_do_is_said_with_its_sizes(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    for regime in ("lora", "full", "partial"):
        factory.cell(regime, 64, 0.8)
        factory.cell(regime, 256, None, state="planned" if regime == "partial" else "not_applicable")
    (section,) = sections(frame.load(factory.finish()))
    assert [[cell.text for cell in row[2:4]] for row in section.failures[-1].rows] == [["lora, full", "256"]]


def test_lines_break_between_words_and_after_hyphens() -> None:
    assert column_widths.lines("continued-pretraining on it", 12) == ["continued-", "pretraining", "on it"]
    assert column_widths.lines("abcdefgh 中文字", 4) == ["abcd", "efgh", "中文", "字"]
    assert column_widths.lines("", 5) == [""]


def test_on_a_narrow_terminal_names_and_texts_are_whole(wide: list[frame.Results]) -> None:
    text = printed(wide, width=40)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 40
    assert all(regime in text for regime in WIDE if len(regime) < 20)
    assert "cause: cause 7 of the loss" in text


@pytest.mark.parametrize("width", [80, 60])
def test_on_a_terminal_nothing_is_cut(wide: list[frame.Results], width: int) -> None:
    text = printed(wide, width=width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    costs = text.split("Costs on")[1]
    assert all(f" {regime} " in costs for regime in WIDE)


def test_a_table_is_split_evenly_and_each_part_has_the_first_column() -> None:
    head = ["quantity", "two words", *"abcd"]
    table = Table("", head, "lrrrrr", [cells("time", *"12345")], [cells(*"fooooo")])
    assert column_widths.widths(table) == [8, 5, 1, 1, 1, 1]
    assert column_widths.parts(table, 8 + 3 + 5 + 4 * (3 + 1)) == [table]
    parts = column_widths.parts(table, 8 + 3 + 5 + 3 * (3 + 1))
    assert [part.head for part in parts] == [["quantity", "two words", "a", "b"], ["quantity", "c", "d"]]
    assert [[cell.text for cell in part.rows[0]] for part in parts] == [["time", "1", "2", "3"], ["time", "4", "5"]]
    assert [len(part.foot[0]) for part in parts] == [4, 3]
    assert len(column_widths.parts(table, 1)) == 5


def test_bands_stay_within_the_metric_and_numbers_do_not(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    for seed, one in enumerate(factory.cell("lora", 64, None, seeds=2)):
        factory.record(one, scores={"metric": "accuracy", "test": {"accuracy": 0.4 + 0.2 * seed}})
    (section,) = sections(frame.load(factory.finish()))
    assert section.scores[0].rows[0][1].text == ".500 ± .465 (2)"
    (panel,) = drawing.draw(section.figures[0]).axes
    for band in panel.collections:
        heights = [y for path in band.get_paths() for _, y in path.vertices]
        assert 0 <= min(heights) < 0.5 < max(heights) <= 1
    wide = section.figures[0].rows.assign(low=-0.77, high=1.77)
    assert drawing._bounded(wide)["high"].tolist() == [1]
    assert drawing._bounded(wide.assign(metric="another package's"))["high"].tolist() == [1.77]


def test_lower_is_better_is_said_and_bold_is_the_lowest(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    factory.cell("lora", 64, 0.2, metric="brier")
    factory.cell("full", 64, 0.9, metric="brier")
    (section,) = sections(frame.load(factory.finish()))
    (table,) = section.scores
    assert table.caption.startswith("brier (lower is better) on sst2 with minilm: mean")
    assert [row[1].bold for row in table.rows] == [True, False]
    assert "Bold: the lowest mean of its column, baselines included, of those tried with the same seeds." in table.notes
    (panel,) = drawing.draw(section.figures[0]).axes
    assert panel.get_ylabel() == "brier (lower is better)"


def test_a_metric_without_a_highest_score_has_its_figure(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    for size, score in ((64, 900.0), (256, 30.0)):
        for seed, one in enumerate(factory.cell("lora", size, None)):
            factory.record(one, scores={"metric": "perplexity", "test": {"perplexity": score + seed}}, artifacts=False)
    built = sections(frame.load(factory.finish()))
    low, high = drawing.draw(built[0].figures[0]).axes[0].get_ylim()
    assert low < 30 < 902 < high < 2000
    assert len(Figures().render(built)) == 3


def test_forgetting_names_the_metrics_of_which_lower_is_better(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    change = {"forgetting": {"sts": {name: {"before": 0.3, "after": 0.5} for name in ("brier", "accuracy")}}}
    factory.cell("lora", 64, 0.8, also=change)
    (section,) = sections(frame.load(factory.finish()))
    assert section.forgetting[0].notes == ["Lower is better of brier."]


def test_an_environment_is_one_line() -> None:
    found = {"id": "x", "device": "H200", "threads": 4, "precision": "bf16", "cuda": "13.0", "python": "3.12.1"}
    assert environment.line({**found, "packages": {"peft": "1", "torch": "2", "accelerate": None}}) == (
        "H200, 4 threads, bf16, Python 3.12.1, cuda 13.0, torch 2, peft 1"
    )
    assert environment.line({}) == ""


def test_environments_have_tables_of_their_own(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    for one in factory.cell("lora", 64, 0.8):
        factory.record(one, 0.4, environment=OTHER)
    factory.cell("full", 64, 0.6)
    text = printed(frame.load(factory.finish()))
    assert "sst2 with minilm, environment A" in text
    assert "sst2 with minilm, environment B" in text
    assert re.search(r"Environment B \(bbbb\) +CPU", text)


def test_nothing_ran_yet(tmp_path: Path) -> None:
    factory = Factory(tmp_path / "r")
    factory.cell("lora", 64, None)
    factory.cell("zero-shot", 0, None, seeds=1)
    results = frame.load(factory.finish())
    assert "missing" in printed(results)
    assert report.write(sections(results), tmp_path / "out")


def test_several_suites(results: list[frame.Results], tmp_path: Path) -> None:
    factory = Factory(tmp_path / "r", suite="vision")
    factory.cell("lora", 64, 0.8)
    both = [*results, *frame.load(factory.finish())]
    built = sections(both)
    stems = [figure.stem for section in built for figure in section.figures]
    assert stems == ["learning-curves-1", "label-noise-1", "learning-curves-2"]
    (page,) = markdown.Markdown().render(built).values()
    assert "# vision" in page.decode()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> list[frame.Results]:
    factory = Factory(tmp_path_factory.mktemp("hostile"), suite=HOSTILE)
    for regime in (HOSTILE, "_x", "=1+1"):
        factory.cell(regime, 64, 0.8, model=HOSTILE, task=HOSTILE)
    factory.record(factory.cell("full", 64, None)[0], status="failed", cause=f"line\nline {HOSTILE}")
    factory.record(factory.cell("lora", 64, None)[0], status=HOSTILE, cause="=cmd()")
    of = factory.cell("zero-shot", 0, None, seeds=1, model=HOSTILE, task=HOSTILE)[0]
    spec = of.to_json() | {
        "task": {"kind": HOSTILE, "splits": {HOSTILE: 1}, "also_test": 3,
                 "data": {"source": HOSTILE, "parameters": {HOSTILE: HOSTILE}}},
        "model": {"source": "=1", "parameters": {"=1": [HOSTILE]}, "fingerprint": HOSTILE},
        "regime": {"kind": "zero-shot", "parameters": {HOSTILE: [HOSTILE, {HOSTILE: None}, -1e300]}},
        "budget": {"epochs": HOSTILE, HOSTILE: {}}, "training": {"batch_size": HOSTILE, "schedule": ["=1"]},
    }  # fmt: skip
    asked = {"method": HOSTILE, "templates": [HOSTILE, {"{label}": 1}], "labels": [HOSTILE, "=1"], "test_examples": 200}
    factory.record(of, 0.5, trial=spec, facts=asked)
    told = {"environment": {**ENVIRONMENT, "processor": HOSTILE, HOSTILE: "=cmd()"}, "metric": HOSTILE}
    factory.cell("partial", 64, 0.8, facts={"notes": [HOSTILE], "test_examples": 200}, **told)
    (paths.records(factory.folder) / f"{HOSTILE.replace('/', '')}.jsonl").write_text("torn\n")
    return frame.load(factory.finish())


def test_hostile_names_are_shown_and_not_obeyed(hostile: list[frame.Results], tmp_path: Path) -> None:
    text = printed(hostile, width=2000)
    assert "m[/bold] [31m|" in text
    assert not set(text) & set("\x1b\x07\r\u202e\u2066\u200f")
    report.write(sections(hostile), tmp_path)
    page = (tmp_path / "report.md").read_text()
    assert r"m\[/bold\]" in page
    assert not any(bad in page.replace("\\<", "") for bad in ("<script", "<img", "\x1b", "\u202e", "\u2066", "\u200f"))
    assert page.count("![") == page.count("](learning-curves")
    assert {line.replace(r"\|", "").count("|") for line in page.splitlines() if line.startswith("| =1")} == {3, 6}
    for name in ("cells.csv", "setup.csv"):
        cells = pd.read_csv(tmp_path / name)
        assert "'=1+1" in set(cells["regime"])
        assert not cells.map(lambda value: isinstance(value, str) and value.lstrip()[:1] in "=+-@\t\r").any(axis=None)
    for path in tmp_path.rglob("*.tex"):
        assert r"\input{/etc" not in path.read_text()
    assert all(path.resolve().is_relative_to(tmp_path) for path in tmp_path.rglob("*"))


def test_no_color_is_respected(results: list[frame.Results], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in printed(results, force_terminal=True).replace("\x1b[3m", "")


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed")
@pytest.mark.parametrize("which", ["results", "wide", "hostile"])
def test_latex_compiles(which: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    report.write(sections(request.getfixturevalue(which)), tmp_path)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    assert which == "hostile" or "Overfull" not in done.stdout
    assert all(path.read_text().isascii() for path in tmp_path.rglob("*.tex"))


PAPER = r"""\documentclass[twocolumn]{article}
\usepackage{booktabs,graphicx}
\graphicspath{{report/}}
\begin{document}
%s
\end{document}
"""


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed")
def test_a_paper_takes_single_tables_and_figures_and_refers_to_them(written: Path, tmp_path: Path) -> None:
    shutil.copytree(written, tmp_path / "report")
    inputs = [*(f"tables/{path.stem}" for path in sorted((written / "tables").glob("*.tex"))), "learning-curves"]
    labels = ["tab:nlp-scores-sst2-large-b", "tab:nlp-failures", "fig:nlp-learning-curves"]
    lines = [rf"\input{{report/{name}}}\clearpage" for name in inputs] + [
        rf"Here: \ref{{{label}}}." for label in labels
    ]
    (tmp_path / "paper.tex").write_text(PAPER % "\n".join(lines))
    for _ in range(2):
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
        assert done.returncode == 0, done.stdout[-2000:]
    assert "undefined" not in done.stdout
    assert "Overfull" not in done.stdout
    assert "multiply" not in done.stdout


def test_every_table_and_figure_has_a_label_of_its_own_that_no_other_table_changes(
    results: list[frame.Results], wide: list[frame.Results]
) -> None:
    for found in (results, wide, [*results, *wide]):
        text = "".join(data.decode() for name, data in latex.Latex().render(sections(found)).items())
        text = re.sub(r"^\\renewenvironment.*$", "", text, flags=re.M)
        labels = re.findall(r"\\label\{(.*?)\}", text)
        assert len(labels) == len(set(labels)) == len(re.findall(r"\\begin\{(table\*?|figure\*?)\}", text))
        assert all(re.fullmatch(r"(tab|fig):[a-z0-9-]+", label) for label in labels)
        assert found is not wide or "tab:nlp-failures-part-2" in labels
    assert [latex._slug(name) for name in ("A_b & Ü\n", "中", "x" * 200)] == ["a-b-u", "x", "x" * latex.MOST]


def test_escapes() -> None:
    assert latex.escape("a_b & 5% é 中 --") == r"a\_b \& 5\% \'{e} \texttt{U+4E2D} -{}-{}"
    assert markdown.escape("a|b*c<d") == r"a\|b\*c\<d"
    assert csv.escape(" =1") == "' =1"
    assert csv.escape("\x00\u200b=cmd()") == "'  =cmd()"
    assert csv.escape(-1.5) == -1.5
    assert printable("a\nb\x1b\ud800\u202e") == "a b   "


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.9124, ".912"), (1.0, "1.000"), (-0.05, "−.050"), (-0.0001, ".000"), (23.4, "23.400"), (float("nan"), "–")],
)
def test_scores(value: float, text: str) -> None:
    assert numbers.score(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1_234_567, "1.2 MB"), (999_900, "1.0 MB"), (12, "12 B"), (0, "0 B"), (0.0042, "4.2 mB"), (66.4e6, "66 MB")],
)
def test_quantities(value: float, text: str) -> None:
    assert numbers.quantity(value, "B") == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0042, "4.2 ms"), (12.4, "12 s"), (119, "119 s"), (150, "2.5 min"), (9000, "2.5 h")]
)
def test_durations(seconds: float, text: str) -> None:
    assert numbers.duration(seconds) == text


def test_numbers_meet_at_their_decimal_points() -> None:
    rows = [
        cells("a", "−12.500 ± .010 (3)", "1.2 MB"),
        cells("b", ".75 (2 of 3)", "90 MB"),
        cells("c", "not planned", "–"),
    ]
    text = latex._table(Table("t", ["", "64", "stored"], "lrr", rows, name="t"), "t")
    assert r"\begin{tabular}{lr@{}lr}" in text
    assert r"& \multicolumn{2}{r}{64} & stored \\" in text
    assert r"a & $-$12 & .500 $\pm$ .010 (3) & 1.2 MB \\" in text
    assert r"b &  & .75 (2 of 3) & 90 MB \\" in text
    assert r"c & \multicolumn{2}{r}{not planned} & -- \\" in text
    assert r"\begin{table}" in text
    wide = latex._table(Table("t", ["x" * 60, "y"], "ll", [cells("a", "b")], name="t"), "t")
    assert r"\begin{table*}" in wide


def test_an_interval_that_begins_a_rounding_error_above_its_mean_is_drawn(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    factory.cell("lora", 64, 0.8)
    (figure,) = sections(frame.load(factory.finish()))[0].figures
    drawing.draw(replace(figure, rows=figure.rows.assign(mean=0.0, low=8.6e-19, high=0.01)))
