"""What every plugin owes its folder: run over whatever the folders hold."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from bench import plugins
from bench.contracts import Metric, Objective
from bench.errors import UsageError
from bench.suite.parameters import (
    ModelParameters,
    RegimeParameters,
    SourceParameters,
    TaskParameters,
    TrainedParameters,
    Tuned,
)

ALL = [(folder, name) for folder in plugins.FOLDERS for name in plugins.names(folder)]
FUNCTIONS = {
    "regimes": {"adapt": 3},
    "objectives": {
        "applies": 1,
        "build": 1,
        "goal": 2,
        "answer": 3,
        "targets": 2,
        "baselines": 2,
        "lost": 1,
        "constant": 1,
        "doubt": 2,
        "columns": 2,
    },
    "tasks": {"examples": 4, "encode": 4, "load": 1},
    "zeroshot": {"applies": 2, "load": 1, "predictor": 2},
    "metrics": {"score": 2},
    "model_sources": {"lock": 1, "fetch": 2},
    "data_sources": {"lock": 1, "fetch": 2},
    "formats": {"render": 1},
}
PARAMETERS = {
    "regimes": RegimeParameters,
    "tasks": TaskParameters,
    "model_sources": ModelParameters,
    "data_sources": SourceParameters,
}


def about(plugin: Any) -> str:
    """What its file says of a plugin."""
    return (plugin if inspect.ismodule(plugin) else sys.modules[type(plugin).__module__]).__doc__ or ""


@pytest.fixture(params=ALL, ids=lambda pair: f"{pair[0]}.{pair[1]}")
def plugin(request: pytest.FixtureRequest) -> tuple[str, str, ModuleType]:
    folder, name = request.param
    return folder, name, plugins.load(folder, name)


def test_no_folder_is_empty() -> None:
    assert {folder for folder, _ in ALL} == set(plugins.FOLDERS)


def test_a_plugin_states_its_version_and_what_it_is_in_one_sentence(plugin: tuple[str, str, ModuleType]) -> None:
    _, _, module = plugin
    assert type(module.VERSION) is int
    assert module.VERSION >= 1
    assert about(module).splitlines()[0].strip()


def test_a_plugin_has_its_folders_functions(plugin: tuple[str, str, ModuleType]) -> None:
    folder, _, module = plugin
    for name, positional in FUNCTIONS[folder].items():
        function = getattr(module, name)
        assert inspect.getdoc(function), f"{name} says nothing of itself"
        inspect.signature(function).bind_partial(*range(positional))  # raises where it takes fewer
        needed = [
            p for p in inspect.signature(function).parameters.values()
            if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]  # fmt: skip
        assert len(needed) <= positional


def test_a_plugins_parameters_are_a_schema_with_words(plugin: tuple[str, str, ModuleType]) -> None:
    folder, name, module = plugin
    if folder not in PARAMETERS:
        return
    assert issubclass(module.Parameters, PARAMETERS[folder])
    assert module.Parameters.model_config["frozen"]
    assert inspect.getdoc(module.Parameters)
    module.Parameters.model_json_schema()
    if folder in ("model_sources", "data_sources"):  # what a suite writes: {source: what}
        assert name in module.Parameters.model_fields
    else:
        module.Parameters()  # a suite may say nothing at all


@pytest.mark.parametrize("name", plugins.names("regimes"))
def test_a_regime_says_what_it_tunes_and_whether_it_trains(name: str) -> None:
    module = plugins.load("regimes", name)
    assert {type(module.LABELS), type(module.TRAINS)} == {bool}
    assert module.LABELS or not module.TRAINS
    assert issubclass(module.Parameters, TrainedParameters) == module.TRAINS
    if module.TUNED is not None:
        assert isinstance(module.TUNED, Tuned)
        assert 0 < module.TUNED.low < module.TUNED.high
        assert module.TUNED.parameter in module.Parameters.model_fields


@pytest.mark.parametrize("name", plugins.names("tasks"))
def test_a_task_kind_says_what_it_takes_and_how_it_is_scored(name: str) -> None:
    module = plugins.load("tasks", name)
    assert module.MODALITY in ("text", "image")
    assert module.OBJECTIVE in plugins.names("objectives")
    assert plugins.load("metrics", module.METRIC).TAKES == plugins.load("objectives", module.OBJECTIVE).ANSWERS
    assert any(module.COLUMNS.values())


@pytest.mark.parametrize("name", plugins.names("objectives"))
def test_an_objective_on_one_feature_vector_solves_a_linear_model(name: str) -> None:
    module = plugins.load("objectives", name)
    assert (type(module).solve is not Objective.solve) == module.POOLED


@pytest.mark.parametrize("name", plugins.names("zeroshot"))
def test_a_way_of_answering_says_how(name: str) -> None:
    module = plugins.load("zeroshot", name)
    assert module.OBJECTIVE in plugins.names("objectives")


@pytest.mark.parametrize("name", plugins.names("metrics"))
def test_a_metric_says_how_it_is_read(name: str) -> None:
    module = plugins.load("metrics", name)
    assert module.TAKES in ("classes", "label-sets", "tags", "texts", "values", "likelihoods")
    assert type(module.HIGHER_IS_BETTER) is bool
    assert module.HIGHER_IS_BETTER or "lower is better" in about(module).splitlines()[0]
    assert module.RANGE[0] < module.RANGE[1]
    assert (type(module).outcomes is not Metric.outcomes) == module.PER_EXAMPLE


@pytest.mark.parametrize("name", plugins.names("zeroshot"))
def test_a_way_of_answering_has_templates(name: str) -> None:
    templates = plugins.load("zeroshot", name).TEMPLATES
    assert all("{label}" in template or not template for template in templates)  # the model's own head needs none
    assert len(set(templates)) == len(templates)


def test_an_unknown_plugin_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="no regimes plugin is called 'loar'; did you mean 'lora'"):
        plugins.load("regimes", "loar")


def test_importing_every_plugin_imports_nothing_heavy(python: Callable[[str, dict[str, str]], str]) -> None:
    source = """
        import sys
        from bench import plugins
        for folder in plugins.FOLDERS:
            for name in plugins.names(folder):
                plugins.load(folder, name)
        heavy = {"torch", "transformers", "datasets", "peft", "sklearn", "pandas", "accelerate", "torchvision",
                 "scipy", "nltk", "sacrebleu", "rouge_score", "seqeval", "openai"}
        print(sorted(heavy & set(sys.modules)))
    """
    assert python(source, dict(os.environ)).strip() == "[]"
