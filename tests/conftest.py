"""Fixtures that several test files share."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hub_mirror import mirror
from rows import Row

hypothesis.settings.register_profile("shared-machine", deadline=None)
hypothesis.settings.load_profile("shared-machine")
ROOT = Path(__file__).parents[1]
collect_ignore = ["fuzz"]  # unless it is named: what it draws depends on what its process has imported


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`@pytest.mark.fault(Row.DISK)` names the row of the table of faults that a test stands for."""
    for item in items:
        for mark in item.iter_markers("fault"):
            item.user_properties += [("row", Row(row).name) for row in mark.args]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """With `-m fault` a line per row of the table; without, how many tests of faults were left out."""
    left = [item for item in terminalreporter.stats.get("deselected", ()) if item.get_closest_marker("fault")]
    if left:
        terminalreporter.write_line(f"{len(left)} tests of faults left out; `-m fault` runs them")
    if config.option.markexpr != "fault":
        return
    reports = [r for rs in terminalreporter.stats.values() for r in rs if isinstance(r, pytest.TestReport)]
    for row in Row:
        found = [r for r in reports if ("row", row.name) in getattr(r, "user_properties", ())]
        found = [r for r in found if r.when == "call" or not r.passed]
        words = {r.outcome for r in found}
        state = "FAILED" if "failed" in words else "ok" if "passed" in words else "skipped" if words else "NO TEST"
        seconds = sum(r.duration for r in found)
        terminalreporter.write_line(f"{state:8}{row.value} ({len(found)} tests, {seconds:.0f} s)")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees what an earlier one, or the user, has cached."""
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session")
def serve_hub() -> Iterator[Callable[..., str]]:
    """Serves the local Hub mirror or another folder, with faults where given; returns its address."""
    with mirror() as serve:
        yield serve


@pytest.fixture(scope="session")
def hub_address(serve_hub: Callable[..., str]) -> str:
    """The address of a Hub mirror without faults."""
    return serve_hub()


@pytest.fixture
def hub_env(hub_address: str, tmp_path: Path) -> dict[str, str]:
    """The environment for a process that uses the Hub mirror with fresh caches."""
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TRANSFORMERS_"))},
        "HF_ENDPOINT": hub_address,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "BENCH_CACHE": str(tmp_path / "cache"),
    }


@pytest.fixture
def python() -> Callable[[str, dict[str, str]], str]:
    """Runs source text in a Python of its own and returns what it prints; fails where it fails."""

    def run(source: str, env: dict[str, str]) -> str:
        command = [sys.executable, "-c", textwrap.dedent(source)]
        done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
