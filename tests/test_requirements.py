"""What is declared is what is tested: `make test` runs on the lock, `make test-oldest` on the lower bounds."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.planning import installed

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DECLARED = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["run"]]


def pins(name: str) -> dict[str, str]:
    """Package → the one version that a constraints file allows."""
    lines = (ROOT / "requirements" / name).read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {normal(package): pinned for package, pinned in pairs}


def normal(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


def bounds() -> dict[str, str]:
    """Package → its lower bound in pyproject.toml."""
    return {normal(package): bound for package, bound in (declared.split(">=") for declared in DECLARED)}


def release(text: str) -> tuple[int, ...]:
    """A version's numbers, the zeros at its end left out."""
    numbers = [int(part) for part in re.match(r"[\d.]*\d", text)[0].split(".")]  # type: ignore[index]
    while numbers[1:] and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def test_the_oldest_versions_tested_are_the_lower_bounds() -> None:
    oldest = pins("oldest.txt")
    assert {name: release(oldest[name]) for name in bounds()} == {n: release(v) for n, v in bounds().items()}


def test_the_lock_pins_every_dependency_within_its_range() -> None:
    lock = pins("lock.txt")
    assert [name for name, bound in bounds().items() if release(lock[name]) < release(bound)] == []


def test_what_is_installed_here_is_within_the_ranges() -> None:
    assert [name for name, bound in bounds().items() if release(version(name)) < release(bound)] == []


def test_every_dependency_is_explained() -> None:
    explained = (ROOT / "docs" / "dependencies.md").read_text()
    assert [name for name in bounds() if name not in explained.lower().replace("_", "-")] == []


def test_without_the_libraries_that_run_models_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "NEEDED", ("torch", "no_such_library"))
    with pytest.raises(UsageError, match=r"needs no_such_library, .* pip install 'retrain-bench\[run\]'"):
        installed.require()


WITHOUT = """
import importlib.machinery as machinery, sys
find = machinery.PathFinder.find_spec
machinery.PathFinder.find_spec = lambda name, *rest: None if name.split(".")[0] in {run!r} else find(name, *rest)
from bench.cli import main
main({arguments!r})
"""


@pytest.mark.parametrize(
    "arguments",
    [["list"], ["plan", "suites/nlp-small.yaml"], ["status", "results/nlp-small"], ["check", "results/nlp-small"]],
    ids=lambda arguments: arguments[0],
)
def test_planning_and_checking_need_none_of_what_runs_models(arguments: list[str]) -> None:
    run = {normal(declared.split(">=")[0]).replace("-", "_") for declared in PROJECT["optional-dependencies"]["run"]}
    source = WITHOUT.format(run=run, arguments=arguments)
    done = subprocess.run([sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


def test_a_report_needs_none_of_what_runs_models(tmp_path: Path) -> None:
    arguments = ["report", "results/nlp-small", "--out", str(tmp_path)]
    test_planning_and_checking_need_none_of_what_runs_models(arguments)
    assert (tmp_path / "nlp-small" / "report.md").is_file()
