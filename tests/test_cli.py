"""The commands as a user runs them: what they import, print, refuse and exit with."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from factory import Factory, example, trial
from rich.console import Console

from bench import plugins
from bench.cli import main
from bench.execution.executor import Slot
from bench.execution.progress import Lines, Live
from bench.planning import summary
from bench.planning.plan import Cell
from bench.store import atomic, paths
from bench.suite.trial import Names

SUITE = """\
name: small
models: {"m[/bold]": {folder: model}, other: org/name}
tasks:
  "t[red]":
    kind: text-classification
    data: {files: data.csv}
    splits: {test: 0.2}
regimes: {zero-shot: , full: , "l[b]": {regime: lora}}
sizes: [64, all]
seeds: 2
tuning: {trials: 2}
"""
HEAVY = ("torch", "transformers", "datasets", "peft", "sklearn", "pandas", "scipy", "matplotlib")


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A suite in the current folder; nothing that it names exists."""
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(SUITE)
    return "small.yaml"


def bench(*arguments: str, code: int = 0) -> tuple[str, str]:
    """What a command prints to standard output and to standard error."""
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == code, (done.stdout, done.stderr, done.exception)
    return done.stdout, done.stderr


@pytest.mark.parametrize(
    "arguments", [["--help"], ["plan", "small.yaml"], ["list"], ["run", "--help"], ["status", "r"]]
)
def test_whoever_plans_imports_nothing_heavy(arguments: list[str], suite: str) -> None:
    Path("r/records").mkdir(parents=True)
    source = f"""
import sys
from bench.cli import main
try:
    main({arguments!r})
except SystemExit as end:
    assert not end.code, end.code
print("heavy:", [n for n in {HEAVY!r} if n in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "heavy: []"
    assert not done.stderr


def test_plan_shows_every_axis_and_keeps_names_as_they_are(suite: str) -> None:
    shown, _ = bench("plan", suite)
    for word in ("m[/bold]", "other", "t[red]", "l[b]", "zero-shot", "full", "all", "unresolved"):
        assert word in shown
    found = json.loads(bench("plan", suite, "--json")[0])
    assert found["trials"] == {"trials": 34, "done": 0, "failed": 0, "again": 0, "missing": 34, "waiting": 0}
    assert set(found["axes"]["model"]) == {"m[/bold]", "other"}


def test_only_selects(suite: str) -> None:
    def trials(*only: str) -> int:
        arguments = [part for item in only for part in ("--only", item)]
        count: int = json.loads(bench("plan", suite, "--json", *arguments)[0])["trials"]["trials"]
        return count

    assert trials("model=m[/bold]") == 17
    assert trials("regime=full,l*") == 32
    assert trials("regime=full", "size=all", "model=other") == 4


@pytest.mark.parametrize(
    ("only", "said"),
    [
        ("modle=x", "the axis one of model, task, regime, size, noise, seed; did you mean 'model'?"),
        ("model", "give axis=value"),
        ("regime=ful", "no regime of suite small matches; did you mean 'full'?"),
        ("size=63", "no size of suite small matches; known: 0, 64, all"),
    ],
)
@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_mistake_in_only_is_named_before_anything_starts(command: str, only: str, said: str, suite: str) -> None:
    _, error = bench(command, suite, "--only", only, code=2)
    assert said in error
    assert error.count("\n") == 1


def test_cells_that_match_one_filter_but_not_all(suite: str) -> None:
    _, error = bench("plan", suite, "--only", "regime=zero-shot", "--only", "size=64", code=2)
    assert "matches all of it" in error


def test_ten_mistakes_are_ten_lines(suite: str) -> None:
    Path("wrong.yaml").write_text(
        "name: Wrong Name\n"  # 1
        "modles: {}\n"  # 2
        "models:\n  a: {hubb: x/y}\n"  # 4
        "tasks:\n"
        "  t:\n"
        "    kind: text-clasification\n"  # 7
        "    data: {files: a.csv}\n"
        "regimes:\n"
        "  ful:\n"  # 10
        "  lora: {learning_rate: fast}\n"  # 11
        "sizes: [64, 16]\n"  # 12
        "seeds: true\n"  # 13
        "budget: {epochs: 1, steps: 2}\n"  # 14
        "tolerance: -1\n"  # 15
    )
    _, error = bench("run", "wrong.yaml", code=2)
    lines = error.splitlines()
    assert [int(re.match(r"wrong\.yaml:(\d+): .", line)[1]) for line in lines] == [1, 2, 4, 7, 10, 11, 12, 13, 14, 15]  # type: ignore[index]


def test_hundreds_of_mistakes_are_cut(suite: str) -> None:
    Path("wrong.yaml").write_text(SUITE + "".join(f"x{i}: 1\n" for i in range(300)))
    _, error = bench("plan", "wrong.yaml", code=2)
    assert len(error.splitlines()) == 51
    assert error.splitlines()[-1] == "… and 250 more problems"


@pytest.mark.parametrize(
    "arguments",
    [
        ["plan"],
        ["plan", "absent.yaml"],
        ["nonsense"],
        ["run", "small.yaml", "--jobs", "0"],
        ["run", "small.yaml", "--devices", "cpu,cpu"],
        ["run", "small.yaml", "--devices", "77"],
        ["run", "small.yaml", "--results", "small.yaml"],
        ["report", "absent"],
        ["status", "absent"],
        ["list", "nonsense"],
        ["init", "absent.csv"],
    ],
)
def test_usage_errors(arguments: list[str], suite: str) -> None:
    shown, error = bench(*arguments, code=2)
    assert not shown
    assert error
    assert "Traceback" not in error


@pytest.mark.parametrize("command", ["run", "lock"])
def test_results_that_cannot_be_written(command: str, suite: str) -> None:
    _, error = bench(command, suite, "--results", "small.yaml/below", code=3)
    assert "small.yaml/below/small: cannot be written" in error
    assert error.count("\n") == 1


def test_a_damaged_lock_or_plan(suite: str) -> None:
    folder = Path("results/small")
    atomic.write_text(paths.lock(folder), "{")
    assert "lock.json: cannot be read" in bench("plan", suite, code=3)[1]
    atomic.write_text(paths.plan(folder), "[]")
    assert "plan.json: not a plan" in bench("status", "results", code=3)[1]


@pytest.mark.parametrize("width", ["40", "60", "100"])
def test_the_names_in_a_plan_are_whole_on_a_narrow_terminal(
    suite: str, width: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    shown, _ = bench("plan", suite)
    assert "…" not in shown
    assert "task t[red]" in shown
    assert all(state in shown for state in ("trials", "done", "failed", "missing"))


def test_list_shows_every_plugin_and_parameter() -> None:
    shown, _ = bench("list")
    found: dict[str, Any] = json.loads(bench("list", "--json")[0])
    assert list(found) == list(plugins.LISTED)
    for folder in plugins.LISTED:
        assert [entry["name"] for entry in found[folder]] == plugins.names(folder)
        for name in plugins.names(folder):
            assert re.search(rf"^  {re.escape(name)}\s", shown, re.MULTILINE)
            schema = None if folder == "executors" else getattr(plugins.load(folder, name), "Parameters", None)
            for parameter in schema.model_fields if schema else ():
                assert re.search(rf"^      {parameter}: ", shown, re.MULTILINE)
    assert list(json.loads(bench("list", "regimes", "--json")[0])) == ["regimes"]
    assert "tunes learning_rate: [0.0001, 0.03] by default" in shown
    ranges = {one["name"]: one.get("tuned") for one in found["regimes"]}
    found = ranges["linear-probe"]
    assert (found["parameter"], found["low"], found["high"], found["within"]) == ("C", 1e-3, 10.0, True)
    assert ranges["zero-shot"] is None


def test_status_and_report_of_what_has_run(tmp_path: Path) -> None:
    folder = example(tmp_path / "nlp")
    shown, _ = bench("status", str(tmp_path))
    assert folder.name in shown
    assert "148 trials: 130 done, 4 failed" in shown
    found = json.loads(bench("status", str(folder), "--json")[0])
    assert [entry["suite"] for entry in found] == [folder.name]
    assert found[0]["trials"]["trials"] > found[0]["trials"]["done"] > 0
    shown, _ = bench("report", str(folder), "--out", str(tmp_path / "out"))
    assert "linear-probe" in shown
    assert (tmp_path / "out" / "nlp" / "report.md").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    words = {"COMP_WORDS": "bench pl", "COMP_CWORD": "pl" if shell == "fish" else "1"}
    env = {**os.environ, **words, "_BENCH_COMPLETE": f"{shell}_complete"}
    source = "from bench.cli import main; main(prog_name='bench')"
    done = subprocess.run([sys.executable, "-c", source], env=env, capture_output=True, text=True, timeout=60)
    assert "plan" in done.stdout


def test_no_colour_where_none_is_wanted(suite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    colour = re.compile(r"\x1b\[[0-9;]*3[0-7]")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    for command in (["plan", suite], ["list"]):
        monkeypatch.setenv("NO_COLOR", "1")
        assert not colour.search(bench(*command)[0])


def test_what_is_piped_is_not_cut_to_a_terminals_width(suite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    long = "a-model-with-a-name-as-long-as-names-may-be-" + "x" * 20
    Path("small.yaml").write_text(SUITE.replace("other:", f"{long}:"))
    assert long in bench("plan", suite)[0]


def test_an_exception_does_not_drive_the_terminal(tmp_path: Path) -> None:
    source = str(tmp_path / "a\x1b[31mb.csv")
    assert "\x1b" not in bench("init", source, code=2)[1]


HOSTILE = "m[/bold]\x1b[31m\u202e\u2066 =cmd() | <script>"


def test_what_a_record_says_does_not_drive_the_terminal(tmp_path: Path) -> None:
    factory = Factory(tmp_path / "a\x1b[31mb\u202e")
    factory.record(factory.cell("full", 64, None)[0], status=HOSTILE, cause=HOSTILE)
    (factory.finish() / "records" / "\x1b[2J.jsonl").write_text("torn\n")
    for arguments in (["status", str(tmp_path)], ["report", str(tmp_path)]):
        shown = "".join(bench(*arguments)).replace("\n", "")
        assert shown.isprintable(), ascii(shown)
        assert "=cmd() | <script>" in shown


def test_what_a_model_calls_its_labels_does_not_drive_the_terminal() -> None:
    (line,) = summary.reasons([Cell(Names("m", "t", "full"), 64, 0.0, 1, "not_applicable", HOSTILE)])
    assert line.isprintable()
    assert "=cmd() | <script>" in line


def test_progress_shows_names_and_causes_as_they_are() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=150, color_system=None)
    Lines(console, 1).ended(
        Slot("cpu", "cpu", 1), trial("m[/bold]", ":smile:", "lora", 64, 0.0, 3),
        {"status": "failed", "cause": HOSTILE},
    )  # fmt: skip
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b" not in shown
    assert ":smile: · m[/bold] · lora · size 64 · seed 3: failed: m[/bold] [31m   =cmd() | <script>" in shown


def test_the_live_view_shows_names_and_causes_as_they_are() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=150, color_system=None)
    slot, one = Slot("cpu", "cpu", 1), trial("m[/bold]", "t[red]", "lora", 64, 0.0, 3)
    view = Live(console, [slot])
    view.planned(2, 0, 1)
    view.started(slot, one)
    view.moved(slot, "train", 1, 2)
    view.ended(slot, one, {"status": "failed", "cause": "[/nothing] \x1b[31m\nsecond line"})
    view.close()
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "t[red] · m[/bold] · lora · size 64 · seed 3: failed: [/nothing]  [31m second line" in shown
