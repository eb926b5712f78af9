"""A trial: one fully resolved run, whose id is a hash of exactly what determines its result."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from typing import Any, Literal, NotRequired, Required, cast

from typing_extensions import TypedDict

SCHEMA = 1
"""Of a trial's id, a plan and a lock. Records have a schema of their own: `bench.store.record.SCHEMA`."""
PROTOCOL = 2
"""By which labels are drawn, made wrong and tuned on. 1 tuned once for all seeds, on other clean labels. It is part of
the ids of trials that see labels, so that results of another protocol are never mixed with these."""
Size = int | Literal["all"]
Json = dict[str, Any]
"""A JSON object whose keys are somebody else's: a plugin's parameters, a model's config file."""


def canonical(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces, no NaN. Raises ValueError on NaN and infinities."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def digest(value: Any, length: int = 16) -> str:
    """The first `length` hex digits of the SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:length]


@dataclasses.dataclass(frozen=True)
class Names:
    """What the suite calls a trial's parts. Not in the id: renaming a model does not change its result."""

    model: str
    task: str
    regime: str


class ModelSpec(TypedDict):
    """A model and the source it comes from. fingerprint: a commit, or a hash of the content."""

    source: str
    version: int
    parameters: Json
    fingerprint: str


class DataSpec(TypedDict, total=False):
    """A data set and the source it comes from. fingerprint: a commit, or a hash of the content."""

    source: str
    version: int
    parameters: Json
    fingerprint: str


class AlsoTestSpec(TypedDict):
    """An also_test set of a task. labels: what its data call the task's labels, where they differ."""

    data: DataSpec
    columns: dict[str, str]
    split: str
    labels: NotRequired[list[str] | dict[str, str]]


class TaskSpec(TypedDict, total=False):
    """A task: what is asked, of which data. columns: {role: column}; splits: {split: its name, or a fraction of train};
    also_test: {name: an also_test set}. Records that others wrote may lack parts of it."""

    kind: Required[str]
    version: int
    parameters: Json
    data: DataSpec
    columns: dict[str, str]
    splits: dict[str, str | float]
    also_test: dict[str, AlsoTestSpec]


class ForgettingSpec(TypedDict):
    """A task on which to measure what training cost, and the zero-shot way that answers it."""

    task: TaskSpec
    way: str
    way_version: int


class RegimeSpec(TypedDict):
    """A regime. way: of zero-shot and few-shot; pretraining: the objective by which pretraining goes on; forgetting:
    {name of a task: how to ask it}; after: the task that was learnt before."""

    kind: str
    version: int
    parameters: Json
    way: NotRequired[str]
    way_version: NotRequired[int]
    pretraining: NotRequired[Literal["masked-lm", "causal-lm"]]
    forgetting: NotRequired[dict[str, ForgettingSpec]]
    after: NotRequired[AfterSpec]


class AfterSpec(TypedDict):
    """A task that was learnt before, and how."""

    task: TaskSpec
    regime: RegimeSpec
    size: Size
    tuned: dict[str, float]


class BudgetSpec(TypedDict, total=False):
    """How long to train: one unit, and what bears on it (`bench.suite.parameters.Budget`)."""

    epochs: float
    steps: int
    seconds: float
    flops: float
    until: str
    min_steps: int
    patience: int
    max_epochs: float


class TrainingSpec(TypedDict, total=False):
    """How to train (`bench.suite.parameters.Training`)."""

    batch_size: int
    weight_decay: float
    warmup: float
    schedule: str
    clip: float | None
    precision: str
    dropout: float | None
    evaluation_batch_size: int
    batch_norm: str
    optimizer: str
    augmentation: str


class Limits(TypedDict, total=False):
    """What a smoke run cuts. examples: the most test examples."""

    examples: int


class AfterLocations(TypedDict):
    """The name of the task that was learnt before, and where its data lie."""

    name: str
    data: Json
    also_test: NotRequired[dict[str, Json]]


class Locations(TypedDict, total=False):
    """Parameters that say where content lies (a path, a branch), not what it is; of also_test sets and of tasks
    asked for forgetting by their names."""

    model: Json
    data: Json
    forgetting: dict[str, Json]
    also_test: dict[str, Json]
    after: AfterLocations


class NamesSpec(TypedDict):
    """`Names` in JSON."""

    model: str
    task: str
    regime: str


class TrialSpec(TypedDict, total=False):
    """`Trial` in JSON, as orders and records hold it: whole, but in records that others wrote. Of protocol 1, which no
    trial names, are `purpose`s: a "tuning" trial was scored on validation data alone."""

    id: Required[str]
    model: ModelSpec
    task: TaskSpec
    regime: RegimeSpec
    size: Size
    noise: float
    validation: float | Literal["full"]
    seed: int
    protocol: int
    purpose: Literal["tuning", "reported"]
    tuned: dict[str, float]
    budget: BudgetSpec
    training: TrainingSpec
    limits: Limits
    locations: Locations
    names: NamesSpec


@dataclasses.dataclass(frozen=True)
class Trial:
    """One fully resolved run. All fields but `names` and `locations` enter the id.

    size: the label budget, training and validation together; 0 for a regime that sees no label
    noise: fraction of those labels replaced by a wrong one
    validation: fraction of the labels held out, or "full"
    tuned: {parameter: value}, which tuning tries or the suite fixed; empty where there is nothing to tune, and where
    the trial chooses by itself
    budget, training: empty where nothing is trained by gradient
    """

    model: ModelSpec
    task: TaskSpec
    regime: RegimeSpec
    size: Size
    noise: float
    validation: float | Literal["full"]
    seed: int
    tuned: dict[str, float]
    budget: BudgetSpec
    training: TrainingSpec
    limits: Limits
    locations: Locations
    names: Names

    @functools.cached_property
    def id(self) -> str:
        """16 hex digits; equal for equal trials on every machine."""
        fields = (f.name for f in dataclasses.fields(self) if f.name not in ("names", "locations"))
        protocol = {"purpose": "reported"} if self.size == 0 else {"protocol": PROTOCOL}  # as ids of protocol 1 have it
        return digest({**{name: getattr(self, name) for name in fields}, "schema": SCHEMA, **protocol})

    @functools.cached_property
    def cell(self) -> str:
        """The id of the trials that differ from this one only in their seed."""
        return dataclasses.replace(self, seed=0).id

    def to_json(self) -> TrialSpec:
        """A JSON object of every field, with the id."""
        return cast(TrialSpec, {**dataclasses.asdict(self), "protocol": PROTOCOL, "id": self.id})

    @classmethod
    def from_json(cls, spec: TrialSpec) -> Trial:
        """The inverse of `to_json`."""
        known = {field.name for field in dataclasses.fields(cls)} - {"names"}
        fields: Json = {name: value for name, value in spec.items() if name in known}
        return cls(**fields, names=Names(**spec["names"]))
