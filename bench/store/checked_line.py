"""A line of JSON with a checksum of what it holds: of a records file, or of scores computed afterwards."""

from __future__ import annotations

from bench.store import safe_reading, schema_version
from bench.suite.trial import Json, canonical, digest


def written(value: Json, schema: int) -> str:
    """The line of a value with its schema and checksum, without an end. Raises TypeError and ValueError where JSON
    cannot hold it."""
    whole = {**value, "schema": schema}
    whole.pop("checksum", None)
    return canonical({**whole, "checksum": digest(whole, 64)})


def read(line: bytes, place: str, schema: int, kind: str) -> Json:
    """What a line holds, without its checksum. kind: what it should be, in words.

    Raises ValueError saying what is wrong, StoreError where it is of a newer schema.
    """
    if len(line) > safe_reading.MOST_LINE:
        raise ValueError(f"longer than any {kind}")
    try:
        value = schema_version.parse(line, place, schema)
        checksum = value.pop("checksum", None)
        if digest(value, 64) != checksum:
            raise ValueError("does not match its checksum")
    except (TypeError, RecursionError):
        raise ValueError(f"not a {kind}") from None
    return value
