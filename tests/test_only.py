"""`--only`, and results that are named by their suite."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from factory import example
from plan_suite import plan, suite

from bench import api
from bench.cli import main
from bench.errors import UsageError
from bench.planning.only import narrow
from bench.planning.plan import Plan, build


def trials(plan: Plan, *only: str) -> set[tuple[str, int | str, int]]:
    return {(t.names.regime, t.size, t.seed) for t in narrow(plan, only).trials().values()}


def test_a_seed_is_an_axis_with_its_tuning(tmp_path: Path) -> None:
    found = plan(tmp_path)
    asked = {("zero-shot", 0, 0)} | {(regime, size, 1) for size in (5, 40) for regime in ("fixed", "full")}
    assert trials(found, "seed=1") == asked
    assert len(narrow(found, ["seed=1", "regime=full", "size=40"]).trials()) == 3
    assert trials(found, "seed=1,2", "regime=fixed", "size=40") == {("fixed", 40, s) for s in (1, 2)}
    waiting = [cell for cell in narrow(found, ["seed=1,2"]).cells if cell.state == "waiting"]
    assert {cell.seeds for cell in waiting} == {2}
    assert {cell.seeds for cell in found.cells if cell.state == "waiting"} == {3}


def test_where_one_value_serves_all_seeds_they_are_all_tuned(tmp_path: Path) -> None:
    found = plan(tmp_path, **{"tuning: {trials: 3}": "tuning: {trials: 3, select: shared}"})
    assert {seed for _, _, seed in trials(found, "seed=1", "regime=full")} == {0, 1, 2}


@pytest.mark.parametrize(
    ("only", "said"),
    [
        ("seed=3", "no seed of suite plan matches; known: 0, 1, 2"),
        ("seeds=1", "did you mean 'seed'?"),
    ],
)
def test_what_is_not_there_is_said(only: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        narrow(plan(tmp_path), [only])
    assert said in str(caught.value)


def test_what_is_not_locked_yet_is_counted_by_seed(tmp_path: Path) -> None:
    found = suite(tmp_path)
    unresolved = build(found, {"schema": 1, "models": {}, "tasks": {}, "regimes": {}}, {})
    assert sum(cell.seeds for cell in narrow(unresolved, ["seed=0", "regime=full"]).cells) == 2


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A suite's file in the current folder, and its results in two places."""
    monkeypatch.chdir(tmp_path)
    suite(tmp_path, **{"name: plan": "name: nlp"})
    example(tmp_path / "elsewhere" / "nlp")
    example(tmp_path / "elsewhere" / "nlp-smoke", tasks=("smoke-task",))
    return tmp_path


@pytest.mark.parametrize("command", ["report", "status", "check"])
def test_results_are_found_by_their_suite(command: str, results: Path) -> None:
    def run(*more: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, [command, *more])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.output

    by_folder, by_suite = run("elsewhere/nlp"), run("suite.yaml", "--results", "elsewhere")
    assert by_folder == by_suite
    assert by_folder[0] in (0, 1)
    smoke = run("suite.yaml", "--results", "elsewhere", "--smoke")
    assert smoke == run("elsewhere/nlp-smoke")
    code, said = run("suite.yaml")
    assert code == 2
    assert said == "bench: results/nlp: no results here; `bench run SUITE` writes them\n"
    code, said = run("elsewhere/nlp", "--smoke")
    assert code == 2
    assert "smoke goes with a suite" in said


def test_python_takes_a_suite_for_its_results(results: Path) -> None:
    found: Any = api.load_suite("suite.yaml")
    Path("elsewhere").rename("results")
    assert len(api.cells(found)) == len(api.cells("results/nlp")) == len(api.cells("suite.yaml"))
    assert json.dumps([one.to_json() for one in api.check(found)])
