"""The suites that are shipped: each loads and can be planned without a lock, a model, data or a network."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench import api, plugins
from bench.suite.yaml import read

FOLDER = Path(__file__).parent.parent / "suites"
FILES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=[f.stem for f in FILES])
def test_it_can_be_planned(file: Path, tmp_path: Path) -> None:
    suite = api.load_suite(file)
    plan = api.plan(suite, tmp_path)
    assert suite.name == file.stem
    assert {cell.state for cell in plan.cells} <= {"unresolved"}
    assert {(c.names.task, c.names.model, c.names.regime) for c in plan.cells} == {
        (name, model, regime) for name, task in suite.tasks.items() for model in task.models for regime in task.regimes
    }


@pytest.mark.parametrize("file", FILES, ids=[f.stem for f in FILES])
def test_revisions_are_commits_or_the_branch_of_parquet(file: Path) -> None:
    """An abbreviated or a moving revision would be another model or data set tomorrow; none is pinned by the lock."""
    for revision in re.findall(r"revision: ([^,}\s]+)", file.read_text()):
        assert re.fullmatch(r"[0-9a-f]{40}|refs/convert/parquet", revision), revision


@pytest.mark.parametrize("name", ["nlp", "nlp-small"])
def test_every_kind_of_text_task_is_in_it(name: str) -> None:
    _, document = read(FOLDER / f"{name}.yaml")
    kinds = {task["kind"] for task in document.value["tasks"].values()}
    text = {kind for kind in plugins.names("tasks") if plugins.load("tasks", kind).MODALITY == "text"}
    assert text <= kinds
