"""What a suite file may say, and the `Suite` that a valid one becomes."""

from __future__ import annotations

import pathlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import AfterValidator, BaseModel, Field

from bench.suite.messages import show
from bench.suite.parameters import (
    Budget,
    InputNoise,
    RegimeParameters,
    Strict,
    TaskParameters,
    Training,
    noise_words,
    one_noise,
)

SEEDS = 1_000_000
"""Seeds lie below."""

Size = int | Literal["all"]
T = TypeVar("T")


def _distinct(values: list[T]) -> list[T]:
    twice = [value for value, count in Counter(values).items() if count > 1]
    if twice:
        raise ValueError(f"listed more than once: {', '.join(map(str, twice[:3]))}")
    return values


def _increasing(sizes: list[Size]) -> list[Size]:
    order = [float("inf") if size == "all" else size for size in _distinct(sizes)]
    if order != sorted(order):
        raise ValueError("must increase, with 'all' last")
    return sizes


Sizes = Annotated[list[Annotated[int, Field(ge=1)] | Literal["all"]], Field(min_length=1), AfterValidator(_increasing)]
Noise = Annotated[list[Annotated[float, Field(ge=0, lt=1)]], Field(min_length=1), AfterValidator(_distinct)]
Seed = Annotated[int, Field(ge=0, lt=SEEDS)]
Seeds = Annotated[list[Seed], Field(min_length=1), AfterValidator(_distinct)]
Entries = Annotated[dict[str, Any], Field(min_length=1)]
Chosen = Annotated[list[str], Field(min_length=1), AfterValidator(_distinct)]
"""Names of the suite's models or regimes."""


def _conditions(values: list[Any]) -> list[InputNoise | None]:
    found: list[InputNoise | None] = []
    for value in values:
        if value != "none" and not isinstance(value, dict):
            raise ValueError(
                f"expected none or a kind of noise with its strength, such as {{blur: 2}}; found {show(value)}"
            )
        found.append(None if value == "none" else one_noise(value))
    words = ["none" if noise is None else noise_words(noise) for noise in found]
    _distinct(words)
    return found


Conditions = Annotated[list[Any], Field(min_length=1), AfterValidator(_conditions)]
"""What images are made worse by, each a condition of its own: none, or a kind of noise with its strength."""


Positive = Annotated[float, Field(gt=0)]
Tolerance = Positive | Annotated[dict[str, Positive], Field(min_length=1)]
"""One number for every metric, or {metric: number}."""


class TuningKeys(Strict):
    """`tuning:` of a suite file."""

    trials: Annotated[int, Field(ge=1)]
    select: Literal["seed", "shared"] = "seed"


class SplitKeys(Strict):
    """`splits:` of a task."""

    train: str | None = None
    test: str | Annotated[float, Field(gt=0, lt=1)] | None = None
    validation: str | None = None


class AlsoTestKeys(Strict):
    """One of `also_test:` of a task. labels: where its data's values differ from those of the task's own data."""

    data: Any
    columns: dict[str, str] = Field(default={})
    split: str | None = None
    labels: Annotated[tuple[str, ...], Field(min_length=1)] | Annotated[dict[str, str], Field(min_length=1)] | None = (
        None
    )


FileName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]


class TaskKeys(Strict):
    """The keys of every task; all others belong to its kind."""

    kind: str
    data: Any
    columns: dict[str, str] = Field(default={})
    splits: SplitKeys = SplitKeys()
    also_test: dict[FileName, AlsoTestKeys] = Field(default={})
    sizes: Sizes | None = None
    label_noise: Noise | None = None
    input_noise: Conditions | None = None
    models: Chosen | None = None
    regimes: Chosen | None = None
    after: str | None = None


class Reported(Strict):
    """One of `reported:`, a published number beside which ours is put. size: 0 of what sees no label; spread: the
    standard deviation over `seeds` runs."""

    task: str
    regime: str
    model: str | None = None
    size: Annotated[int, Field(ge=0)] | Literal["all"] = "all"
    metric: str
    value: float
    spread: Annotated[float, Field(ge=0)] | None = None
    seeds: Annotated[int, Field(ge=1)] | None = None
    source: Annotated[str, Field(min_length=1)]


class SuiteKeys(Strict):
    """The keys at the top of a suite file. Paths in it are relative to the file's own folder."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    description: str = ""
    models: Entries
    tasks: Entries
    regimes: Entries
    defaults: dict[str, Any] = Field(default={})
    sizes: Sizes | None = None
    label_noise: Noise = Field(default=[0.0])
    input_noise: Conditions | None = None
    seeds: Annotated[int, Field(ge=1, le=SEEDS)] | Seeds = 3
    tuning: TuningKeys | None = TuningKeys(trials=3)
    budget: Budget = Budget(epochs=3)
    training: Training = Training()
    validation: Annotated[float, Field(gt=0, le=0.5)] | Literal["full"] = 0.2
    tolerance: Tolerance | None = None
    timeout: Annotated[float, Field(gt=0)] = 3600
    hung: Annotated[float, Field(gt=0)] = 600
    checkpoint: Annotated[float, Field(gt=0)] | None = 300
    forgetting: tuple[str, ...] = ()
    reported: tuple[Reported, ...] = ()


@dataclass(frozen=True)
class Schemas:
    """What plugins accept: each name's `Parameters`, what answers a task kind gives, and which a metric judges; and of
    which modality a task kind is."""

    models: Mapping[str, type[BaseModel]]
    tasks: Mapping[str, type[TaskParameters]]
    regimes: Mapping[str, type[RegimeParameters]]
    data: Mapping[str, type[BaseModel]]
    gives: Mapping[str, str]
    metrics: Mapping[str, str]
    modalities: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """A model or a data set: where it comes from, with that source's parameters."""

    source: str
    parameters: BaseModel


@dataclass(frozen=True)
class AlsoTest:
    """An also_test set of a task: its data, columns where they differ, split, and what its values mean, if given."""

    data: Source
    columns: dict[str, str]
    split: str
    labels: tuple[str, ...] | dict[str, str] | None


class Spoils(NamedTuple):
    """Of which task this is a condition, and the noise in words (`blur 2`)."""

    task: str
    noise: str


@dataclass(frozen=True)
class Task:
    """A task with its axes resolved. `splits["test"]` is a split's name or the fraction of train to carve out; `models`
    and `regimes` are the names of those it is run with, in the suite's order. after: the task that a model is adapted
    to before it is to this one. spoils: where its images are those of another task, made worse."""

    kind: str
    parameters: TaskParameters
    data: Source
    columns: dict[str, str]
    splits: dict[str, str | float]
    sizes: tuple[Size, ...]
    label_noise: tuple[float, ...]
    models: tuple[str, ...]
    regimes: tuple[str, ...]
    after: str | None = None
    spoils: Spoils | None = None
    also_test: dict[str, AlsoTest] = field(default_factory=dict)


@dataclass(frozen=True)
class Regime:
    """A regime's kind and parameters."""

    kind: str
    parameters: BaseModel


@dataclass(frozen=True, repr=False)
class Suite:
    """A valid suite. Times are in seconds; `tuning_trials` is 0 where nothing is tuned; `tolerance` is None
    where the suite says none."""

    name: str
    path: pathlib.Path
    text: str
    description: str
    models: dict[str, Source]
    tasks: dict[str, Task]
    regimes: dict[str, Regime]
    seeds: tuple[int, ...]
    tuning_trials: int
    tuning_select: Literal["seed", "shared"]
    budget: Budget
    training: Training
    validation: float | Literal["full"]
    tolerance: float | dict[str, float] | None
    timeout: float
    hung: float
    checkpoint: float | None
    forgetting: tuple[str, ...]
    reported: tuple[Reported, ...] = ()

    def __repr__(self) -> str:
        axes = (("models", [*self.models]), ("tasks", [*self.tasks]), ("regimes", [*self.regimes]))
        said = "; ".join(f"{axis} " + ", ".join(names) for axis, names in axes)
        return f"<Suite {self.name}: {said}>"
