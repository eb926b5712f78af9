"""The form of what is read back: whoever reads a record, a plan or a lock need not ask again what each part is.

What a form does not name may be anything. Parts that default to None may be absent.
A record's form is in `bench.store.record`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from bench.store.record import Number, Record, WholeRecord
from bench.suite.trial import Json

Count = Annotated[int, Field(ge=0, le=10**12)]
Size = Count | Literal["all"]


class _Form(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class _Names(_Form):
    model: str
    task: str
    regime: str


class _Planned(_Names):
    size: Size
    noise: Number
    seed: int
    purpose: str


class _Range(_Form):
    parameter: str
    low: Number
    high: Number
    start: Number | None = None
    default: bool


class _Choice(_Form):
    seeds: list[Count]
    values: list[Number]
    chosen: Number | None
    on_edge: bool


class _Cell(_Names):
    size: Size
    noise: Number
    seeds: Count
    state: str
    reason: str | None = None
    tuned: dict[str, Number]
    on_edge: bool
    range: _Range | None = None
    choices: list[_Choice] = []
    tuning: list[str]
    reported: list[str]


class _Reported(_Form):
    task: str
    regime: str
    model: str | None = None
    size: int | Literal["all"]
    metric: str
    value: Number
    spread: Number | None = None
    seeds: Annotated[int, Field(ge=1)] | None = None
    source: str


class _Spoils(_Form):
    task: str
    noise: str


class Plan(_Form):
    """`plan.json`."""

    suite: str | None = None
    reported: list[_Reported] = []
    protocol: Count | None = None
    input_noise: dict[str, _Spoils] = {}
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


_RECORD: TypeAdapter[Record] = TypeAdapter(WholeRecord)


def check(form: type[_Form], value: object) -> None:
    """Raise ValueError naming the first part that is not as it should be."""
    try:
        form.model_validate(value)
    except ValidationError as error:
        raise ValueError(_first(error)) from None


def check_record(value: Json) -> Record:
    """The same record, typed. Raises ValueError naming the first part that is not as it should be."""
    try:
        _RECORD.validate_python(value, strict=True)
    except ValidationError as error:
        raise ValueError(_first(error)) from None
    return cast(Record, value)  # and not what was validated, which lacks what no type names


def _first(found: ValidationError) -> str:
    first = found.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        return f"{place}: not a key of a record"
    said = first["msg"].removeprefix("Value error, ").lower()
    return f"{place}: {said}" if place else said
