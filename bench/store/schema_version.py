"""What a newer version of this program has written is neither read nor written over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.errors import StoreError
from bench.store import safe_reading
from bench.suite.trial import SCHEMA, Json

DEEPEST = 100
"""Levels of a document: whoever walks through what it holds need not fear for the stack."""


def refuse_newer(value: Json, place: object, newest: int = SCHEMA) -> None:
    """Raise StoreError where what stands at a place has a newer schema than this version knows."""
    schema = value.get("schema")
    if isinstance(schema, int) and schema > newest:
        raise StoreError(
            f"{place}: was written by a newer version of bench, in schema {schema}; this one knows schemas up to "
            f"{newest} and leaves it as it is; upgrade bench (pip install --upgrade retrain-bench)"
        )


def parse(text: bytes, place: object, newest: int = SCHEMA) -> Json:
    """A JSON object. Raises ValueError and TypeError for anything else, StoreError for one of a newer schema."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("not whole JSON") from None
    if not isinstance(value, dict):
        raise TypeError("not a JSON object")
    if text.count(b"[") + text.count(b"{") > DEEPEST and _is_deep(value):
        raise ValueError(f"nested more than {DEEPEST} deep")
    refuse_newer(value, place, newest)
    return value


def _is_deep(value: Json) -> bool:
    level: list[Any] = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for one in level
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, dict | list)
        ]
    return bool(level)


def read(path: Path) -> Json:
    """`parse` of a file. Raises OSError too."""
    return parse(safe_reading.whole(path), path)


def guard(path: Path) -> None:
    """Raise StoreError where a file is of a newer schema and so must not be written over."""
    try:
        read(path)
    except (OSError, ValueError, TypeError):
        return  # whoever reads it says what is wrong with it
