"""What every plugin owes its folder: run over whatever the folders hold."""

from __future__ import annotations

import ast
import os
import typing
from collections.abc import Callable
from pathlib import Path

import pytest
from plugin_contract import BASES, class_of, files, guesses, problems

import bench
from bench import contracts, plugins
from bench.errors import UsageError
from bench.suite.parameters import RegimeParameters, TrainedParameters, Tuned

ROOT = Path(bench.__file__).parent
ALL = [(folder, name) for folder in BASES for name in plugins.names(folder)]


def test_no_folder_is_empty() -> None:
    assert {folder for folder, _ in ALL} == set(BASES)


@pytest.mark.parametrize(("folder", "name"), ALL)
def test_a_plugin_keeps_its_contract(folder: str, name: str) -> None:
    assert list(problems(folder, name, class_of(folder, name))) == []


@pytest.mark.parametrize("folder", BASES)
def test_a_folder_holds_plugins_and_nothing_else(folder: str) -> None:
    place = ROOT.parent / plugins.PLACES.get(folder, f"bench.{folder}").replace(".", "/")
    found = {path.stem.replace("_", "-") for path in place.iterdir() if path.stem not in ("__init__", "__pycache__")}
    assert found == {name for name in plugins.names(folder) if plugins._modules(folder)[name].startswith("bench.")}
    for path in place.glob("*.py"):
        classes = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)]
        assert path.stem == "__init__" or classes, f"{path} holds no class"


def test_nobody_asks_a_plugin_what_it_has() -> None:
    """Contracts have defaults: `hasattr` and `getattr` would hide a misspelt member from the type checker."""
    found = [f"{path.relative_to(ROOT)}:{line}" for path in files() for line in guesses(path.read_text())]
    assert found == []


def test_the_reading_of_guesses_can_fail() -> None:
    for asked in ("hasattr(plugin, 'x')", "getattr(job.task, 'x', 1)", "getattr(plugins.load('tasks', n), 'x', 0)"):
        assert list(guesses(f"a = 1\nb = {asked}")) == [2]
    assert list(guesses("hasattr(value, 'convert')")) == []


def test_the_contract_can_fail() -> None:
    class Odd(contracts.Metric):
        VERSION = 0
        TAKES = "classes"
        RANGE = (0.0, 1.0)

        def score(self, answers: object, targets: object) -> float:  # type: ignore[override]
            return 0.0

        def check(self, more: int) -> None:  # type: ignore[override]
            """More than the contract gives it."""

    found = " ".join(problems("metrics", "odd", Odd))
    assert "the class has no docstring" in found
    assert "VERSION is 0" in found
    assert "score: its parameters are self, answers, targets, the contract's self, targets, answers" in found
    assert "check(self, more: 'int') -> 'None' does not take what the contract gives it" in found
    assert "does not derive from Regime" in " ".join(problems("regimes", "odd", Odd))


@pytest.mark.parametrize("name", plugins.names("regimes"))
def test_a_regime_says_what_it_tunes_and_whether_it_trains(name: str) -> None:
    regime = plugins.load("regimes", name)
    assert regime.LABELS or not regime.TRAINS
    assert issubclass(regime.Parameters, TrainedParameters if regime.TRAINS else RegimeParameters)
    assert issubclass(regime.Parameters, TrainedParameters) == regime.TRAINS
    if regime.TUNED is not None:
        assert isinstance(regime.TUNED, Tuned)
        assert 0 < regime.TUNED.low < regime.TUNED.high
        assert regime.TUNED.parameter in regime.Parameters.model_fields


@pytest.mark.parametrize("name", plugins.names("tasks"))
def test_a_task_kind_says_what_it_takes_and_how_it_is_scored(name: str) -> None:
    task = plugins.load("tasks", name)
    assert task.MODALITY in typing.get_args(contracts.Modality)
    assert plugins.load("metrics", task.METRIC).TAKES == plugins.load("objectives", task.OBJECTIVE).ANSWERS
    assert any(task.COLUMNS.values())
    assert {*task.INSTEAD, *task.SEVERAL} <= set(task.COLUMNS)


@pytest.mark.parametrize("name", plugins.names("objectives"))
def test_an_objective_on_one_feature_vector_solves_a_linear_model(name: str) -> None:
    objective = plugins.load("objectives", name)
    assert type(objective).solve is not contracts.Objective.solve or not objective.POOLED


@pytest.mark.parametrize("name", plugins.names("zeroshot"))
def test_a_way_of_answering_says_how(name: str) -> None:
    way = plugins.load("zeroshot", name)
    assert way.OBJECTIVE in plugins.names("objectives")
    assert all("{label}" in template or not template for template in way.TEMPLATES)  # the model's own head needs none
    assert len(set(way.TEMPLATES)) == len(way.TEMPLATES)


@pytest.mark.parametrize("name", plugins.names("metrics"))
def test_a_metric_says_how_it_is_read(name: str) -> None:
    metric = plugins.load("metrics", name)
    assert metric.TAKES in {plugins.load("objectives", one).ANSWERS for one in plugins.names("objectives")}
    assert metric.RANGE[0] < metric.RANGE[1]
    assert (type(metric).outcomes is not contracts.Metric.outcomes) == metric.PER_EXAMPLE


def test_an_unknown_plugin_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="no regimes plugin is called 'loar'; did you mean 'lora'"):
        plugins.load("regimes", "loar")


def test_importing_every_plugin_imports_nothing_heavy(python: Callable[[str, dict[str, str]], str]) -> None:
    source = """
        import sys
        from bench import plugins
        for folder in plugins.LISTED:
            for name in plugins.names(folder):
                plugins.module(folder, name)
                folder == "executors" or plugins.load(folder, name)
        heavy = {"torch", "transformers", "datasets", "peft", "sklearn", "pandas", "accelerate", "torchvision",
                 "scipy", "nltk", "sacrebleu", "rouge_score", "seqeval", "openai", "matplotlib"}
        print(sorted(heavy & set(sys.modules)))
    """
    assert python(source, dict(os.environ)).strip() == "[]"
