"""pydantic's validation errors as sentences for whoever wrote the suite, each with its place in the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bench.errors import did_you_mean
from bench.suite.yaml import Path

_EXPECTED = {
    "string_type": "text",
    "path_type": "a path",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "none_required": "nothing",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dataclass_type": "a mapping",
}
_LIMITS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}
_CHOICES = ("literal_error", "enum")


def show(value: object) -> str:
    """A value as the suite's writer would name it, cut to a line."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{value}'" if len(value) <= 40 else f"'{value[:39]}…'"
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else str(value)


def explain(
    error: ValidationError, schema: type[BaseModel], value: Any, known: Iterable[str] = ()
) -> Iterator[tuple[Path, str]]:
    """Yield each wrong place in `value` once, with what is wrong there.

    A union tells of every branch that failed: branches that fail at one place are joined by "or", and those that got
    further hide those that did not. `known`: keys that stand beside the schema's own.
    """
    found: dict[Path, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        found.setdefault(_place(detail, value), []).append(detail)
    above = {place[:length] for place in found for length in range(len(place))}
    for place, details in found.items():
        other = [d for d in details if d["type"] not in _EXPECTED and d["type"] not in _CHOICES]
        if other and other[0]["type"] == "extra_forbidden":
            keys = _keys(schema, place[:-1]) | (set(known) if len(place) == 1 else set())
            yield place, f"unknown key{did_you_mean(str(place[-1]), keys)}"
        elif other:
            yield place, _sentence(other[0])
        elif place not in above:
            wanted = dict.fromkeys(_EXPECTED.get(d["type"]) or d["ctx"]["expected"] for d in details)
            yield place, f"expected {' or '.join(wanted)}, found {show(details[0]['input'])}{_near(details)}"


def _sentence(detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    found = show(detail["input"])
    if kind == "missing":
        return "missing"
    if kind in _LIMITS:
        key, words = _LIMITS[kind]
        limit = context[key]
        return f"must be {words} {limit:g}, found {found}" if limit < 1e6 else f"must be {words} {limit}, found {found}"
    if kind in ("too_short", "too_long"):
        limit = context.get("min_length", context.get("max_length"))
        return f"needs {'at least' if kind == 'too_short' else 'at most'} {limit}, found {context['actual_length']}"
    if kind == "string_pattern_mismatch":
        return f"must match {context['pattern']}, found {found}"
    if kind == "value_error":
        return str(context["error"])
    return f"{detail['msg'][:1].lower()}{detail['msg'][1:]}, found {found}"


def _near(details: list[ErrorDetails]) -> str:
    """The likely meaning of a word that is none of the allowed ones."""
    word = details[0]["input"]
    choices = [part for d in details if d["type"] in _CHOICES for part in d["ctx"]["expected"].split("'")[1::2]]
    hint = did_you_mean(word, choices) if isinstance(word, str) else ""
    return hint if "did you mean" in hint else ""


def _place(detail: ErrorDetails, value: Any) -> Path:
    """An error's location without the names of union branches, which are no part of the file."""
    place: list[str | int] = []
    for part in detail["loc"]:
        inside = part in value if isinstance(value, dict) else isinstance(value, list) and part in range(len(value))
        if inside:
            place.append(part)
            value = value[part]
        elif detail["type"] == "missing" and part is detail["loc"][-1]:
            place.append(part)
    return tuple(place)


def _keys(schema: type[BaseModel], place: Path) -> set[str]:
    """The keys that a schema allows at a place within it."""
    schemas = [schema]
    for part in place:
        inner = [m for s in schemas if part in s.model_fields for m in _models(s.model_fields[str(part)].annotation)]
        schemas = inner or schemas
    return {field.alias or name for s in schemas for name, field in s.model_fields.items()}


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]
