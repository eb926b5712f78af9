"""What nobody has built yet has a place to go: a task of sounds, a model without config.json, another machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import pytest
from plugin_contract import problems
from pydantic import Field

from bench import contracts
from bench.data.examples import Examples
from bench.execution.executor import Ended, Event, Executor, Slot
from bench.modeling.models.facts import Facts
from bench.suite.parameters import ModelParameters, TaskParameters
from bench.suite.trial import Json


class SoundParameters(TaskParameters):
    """Nothing besides."""


class Sound(contracts.TaskKind[SoundParameters]):
    """A number a sound; `Modality` in `bench.contracts` is the one list that "audio" joins."""

    VERSION = 1
    Parameters = SoundParameters
    MODALITY: ClassVar[contracts.Modality] = cast(contracts.Modality, "audio")
    OBJECTIVE = "values"
    METRIC = "spearman"
    COLUMNS = {"audio": True, "value": True}

    def examples(self, dataset: Any, columns: Mapping[str, str], parameters: SoundParameters, place: str) -> Examples:
        """Sounds as `datasets` decodes them, and their values."""
        values = [float(value) for value in dataset[columns["value"]]]
        return Examples(list(dataset[columns["audio"]]), np.zeros(len(values), dtype=np.int64), values)

    def encode(self, folder: Path, examples: Examples, parameters: SoundParameters, target: Path) -> None:
        """Every sound's loudness; an encoder that hears would keep its features here."""
        np.save(target / "loudness.npy", [np.abs(one["array"]).mean() for one in examples.inputs])

    def load(self, folder: Path) -> np.ndarray:
        """What `encode` kept."""
        found: np.ndarray = np.load(folder / "loudness.npy")
        return found


class WrappedParameters(ModelParameters):
    """Which weights."""

    wrapped: Path = Field(description="a folder of weights alone")


class Wrapped(contracts.ModelSource[WrappedParameters]):
    """Weights without config.json, whose config this source says itself."""

    VERSION = 1
    Parameters = WrappedParameters

    def lock(self, parameters: WrappedParameters) -> Json:
        """The config files as a model that has them would name them."""
        config = {"model_type": "bert", "architectures": ["BertModel"], "hidden_size": 8}
        return {"fingerprint": "none", "files": {"config.json": json.dumps(config)}}

    def fetch(self, parameters: WrappedParameters, fingerprint: str) -> Path:
        """Where the weights are."""
        return parameters.wrapped


class Elsewhere(Executor):
    """Orders that are kept for another machine and end there without a result."""

    def __init__(self) -> None:
        self._sent: list[str] = []

    def slots(self, devices: Any, jobs: int) -> list[Slot]:
        """One, of the other machine."""
        return [Slot("elsewhere", "cpu", 1)]

    def submit(self, order: Json, slot: Slot | None = None) -> str:
        """Bring it there as JSON."""
        json.dumps(order)
        self._sent.append(f"order-{len(self._sent)}")
        return self._sent[-1]

    def events(self, timeout: float) -> list[Event]:
        """All have ended."""
        return [self.abandon(order) for order in [*self._sent]]

    def kill(self, order: str) -> None:
        """There is nothing to kill."""

    def abandon(self, order: str) -> Ended:
        """Its end."""
        self._sent.remove(order)
        return Ended(order, cause="nobody is there")

    def close(self) -> None:
        """Nothing was started."""


@pytest.mark.parametrize(
    ("folder", "name", "plugin"),
    [("tasks", "sound", Sound), ("model_sources", "wrapped", Wrapped), ("executors", "elsewhere", Elsewhere)],
)
def test_it_keeps_its_contract(folder: str, name: str, plugin: type) -> None:
    assert list(problems(folder, name, plugin)) == []


def test_a_task_of_sounds_reads_encodes_and_loads(tmp_path: Path) -> None:
    sounds = [{"array": np.ones(4), "sampling_rate": 8000}, {"array": np.zeros(4), "sampling_rate": 8000}]
    kind = Sound()
    found = kind.examples({"a": sounds, "v": [1, 0]}, {"audio": "a", "value": "v"}, SoundParameters(), "here")
    kind.encode(tmp_path, found, SoundParameters(), tmp_path)
    assert kind.load(tmp_path).tolist() == [1.0, 0.0]


def test_a_model_without_config_is_planned_by_what_its_source_says(tmp_path: Path) -> None:
    locked = Wrapped().lock(WrappedParameters(wrapped=tmp_path))
    assert Facts.from_files(locked["files"]).model_type == "bert"


def test_an_order_goes_to_another_machine_and_its_end_comes_back() -> None:
    with Elsewhere() as executor:
        order = executor.submit({"do": "trial"}, *executor.slots([], 1))
        assert executor.events(0) == [Ended(order, cause="nobody is there")]
