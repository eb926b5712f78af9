"""The form of what is read back: whoever reads a record, a plan or a lock need not ask again what each part is.

What a form does not name may be anything. Parts that default to None may be absent.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e100, le=1e100)]
"""One whose square, and whose sums, are numbers too."""
Count = Annotated[int, Field(ge=0, le=10**12)]
Size = Count | Literal["all"]
Numbers = dict[str, Number | None]


class _Form(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class _Names(_Form):
    model: str
    task: str
    regime: str


class _Trial(_Form):
    id: str
    seed: int | None = None
    purpose: str | None = None
    names: _Names | None = None
    regime: dict[str, Any] | None = None


class _Change(_Form):
    before: Number
    after: Number


class _After(_Form):
    task: str
    metric: str
    before: dict[str, Number]
    after: dict[str, Number]
    without: dict[str, Number]


class _Scores(_Form):
    """What it does not name are baselines: what takes no model, or no pretraining."""

    model_config = ConfigDict(strict=True, extra="allow")
    __pydantic_extra__: dict[str, Numbers | None]

    metric: str
    test: dict[str, Number] | None = None
    validation: dict[str, Number] | None = None
    templates: dict[str, list[Number]] | None = None
    signatures: dict[str, str] | None = None
    forgetting: dict[str, dict[str, _Change]] | None = None
    after: _After | None = None
    also_test: dict[str, dict[str, Number]] | None = None
    also_test_baselines: dict[str, dict[str, Numbers]] | None = None

    @model_validator(mode="after")
    def _has_its_metric(self) -> _Scores:
        for name, scores in (("test", self.test), ("validation", self.validation)):
            if scores and self.metric not in scores:
                raise ValueError(f"{name} holds no {self.metric}, which is its metric")
        if self.after and not all(self.after.metric in one for one in (self.after.before, self.after.after)):
            raise ValueError(f"after holds no {self.after.metric}, which is its metric")
        if self.after and self.metric not in self.after.without:
            raise ValueError(f"after.without holds no {self.metric}, which is the metric")
        return self


SCORES = frozenset(_Scores.model_fields)
"""The parts of a record's scores that are no baseline."""


class _Costs(_Form):
    seconds: Numbers | None = None


class _Environment(_Form):
    id: str | None = None
    threads: int | None = None
    packages: dict[str, str | None] | None = None


class _Facts(_Form):
    train_examples: Number | None = None
    validation_examples: Number | None = None
    test_examples: Number | None = None
    also_test_examples: dict[str, Number] | None = None
    notes: list[str] | None = None


class Record(_Form):
    """One line of a records file."""

    trial: _Trial
    status: str
    attempt: str | None = None
    cause: str | None = None
    started: str | None = None
    finished: str | None = None
    scores: _Scores | None = None
    costs: _Costs | None = None
    environment: _Environment | None = None
    facts: _Facts | None = None

    @model_validator(mode="after")
    def _whole(self) -> Record:
        if self.status == "ok" and (self.scores is None or self.costs is None):
            raise ValueError(f"an ok record without {'scores' if self.scores is None else 'costs'}")
        return self


class _Planned(_Names):
    size: Size
    noise: Number
    seed: int
    purpose: str


class _Range(_Form):
    parameter: str
    low: Number
    high: Number
    default: bool


class _Cell(_Names):
    size: Size
    noise: Number
    seeds: Count
    state: str
    reason: str | None = None
    tuned: dict[str, Number]
    on_edge: bool
    range: _Range | None = None
    tuning: list[str]
    reported: list[str]


class Plan(_Form):
    """`plan.json`."""

    suite: str | None = None
    trials: dict[str, _Planned]
    cells: list[_Cell]


class _Running(_Form):
    trial: str
    slot: str
    since: str
    seconds: Number | None = None


class Holder(_Form):
    """`.run.json`."""

    pid: int
    host: str
    since: str
    at: str | None = None
    left: Number | None = None
    running: list[_Running] | None = None


class _Summary(_Form):
    rows: dict[str, Count]
    classes: dict[str, dict[str, Count]] | None = None
    lengths: dict[str, Count | str] | None = None
    duplicates: dict[str, Count] | None = None
    remarks: list[str]


class _Locked(_Form):
    request: dict[str, Any]
    revisions: dict[str, str] | None = None


class _Model(_Locked):
    fingerprint: str
    files: dict[str, str]


class _Task(_Locked):
    fingerprint: str
    labels: list[Any] | dict[str, Any]
    classes: dict[str, list[Count]]
    also_test: dict[str, str] | None = None
    summary: _Summary | None = None

    @model_validator(mode="after")
    def _is_for_training(self) -> _Task:
        if "train" not in self.classes:
            raise ValueError("classes counts nothing of train")
        return self


class Lock(_Form):
    """`lock.json`."""

    models: dict[str, _Model]
    tasks: dict[str, _Task]
    regimes: dict[str, _Locked]


def check(form: type[_Form], value: object) -> None:
    """Raise ValueError naming the first part that is not as it should be."""
    try:
        form.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = "".join(f"{part}." for part in first["loc"])[:-1]
        said = first["msg"].removeprefix("Value error, ").lower()
        raise ValueError(f"{place}: {said}" if place else said) from None
