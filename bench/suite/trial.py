"""A trial: one fully resolved run, whose id is a hash of exactly what determines its result."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from typing import Any, Literal

SCHEMA = 1
Json = dict[str, Any]


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


@dataclasses.dataclass(frozen=True)
class Trial:
    """One fully resolved run. All fields but `names` and `locations` enter the id.

    model: {source, version, parameters, fingerprint}; fingerprint: a commit, or a hash of the content
    task: {kind, version, parameters, data: {source, version, parameters, fingerprint}, columns, splits}
    regime: {kind, version, parameters}; zero-shot adds `method`; a task that comes after another adds `after`, that
    one's {task, regime, size, tuned}
    size: the label budget, training and validation together; 0 for a regime that sees no label
    noise: fraction of those labels replaced by a wrong one
    validation: fraction of the labels held out, or "full"
    purpose: a "tuning" trial is scored on validation data alone, a "reported" one on the test split
    tuned: {parameter: value}, as tuning chose it or the suite fixed it; empty where there is nothing to tune
    budget, training: as in `bench.suite.parameters`; empty where nothing is trained by gradient
    limits: {} or what --smoke cuts: {"examples": most test examples}
    locations: {"model": …, "data": …}: parameters that say where content lies (a path, a branch), not what it is;
    "also_test": {name of a further test set: …}; "after": {"data", "also_test", "name"} of a task that comes first
    """

    model: Json
    task: Json
    regime: Json
    size: int | Literal["all"]
    noise: float
    validation: float | Literal["full"]
    seed: int
    purpose: Literal["tuning", "reported"]
    tuned: Json
    budget: Json
    training: Json
    limits: Json
    locations: Json
    names: Names

    @functools.cached_property
    def id(self) -> str:
        """16 hex digits; equal for equal trials on every machine."""
        fields = (f.name for f in dataclasses.fields(self) if f.name not in ("names", "locations"))
        return digest({**{name: getattr(self, name) for name in fields}, "schema": SCHEMA})

    @functools.cached_property
    def cell(self) -> str:
        """The id of the trials that differ from this one only in their seed."""
        return dataclasses.replace(self, seed=0).id

    def to_json(self) -> Json:
        """A JSON object of every field, with the id."""
        return {**dataclasses.asdict(self), "id": self.id}

    @classmethod
    def from_json(cls, spec: Json) -> Trial:
        """The inverse of `to_json`."""
        fields = {f.name: spec[f.name] for f in dataclasses.fields(cls)}
        return cls(**{**fields, "names": Names(**spec["names"])})
