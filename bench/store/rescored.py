"""Scores computed from kept predictions afterwards: beside the records, which stay as they are."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NamedTuple, cast

from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from bench.errors import StoreError
from bench.store import atomic, checked_line, paths, safe_reading
from bench.store.record import Number

SCHEMA = 1


class Rescored(TypedDict):
    """One score of one attempt.

    on: the also_test set, empty for the test split; score: the mean over `templates`; recorded: what the record says
    of the same metric, None where it says nothing; version, signature: the metric's; bench: the version that computed
    it; predictions: the SHA-256 of the file of predictions.
    """

    trial: str
    attempt: str
    on: str
    metric: str
    score: Number
    templates: Annotated[list[Number], Field(min_length=1)]
    recorded: Number | None
    version: int
    signature: str | None
    bench: str
    predictions: str
    at: str


_FORM = TypeAdapter(Rescored)


class Read(NamedTuple):
    """The whole lines, oldest first, and one `file:line: problem` for each that is not one."""

    entries: list[Rescored]
    damaged: list[str]


def write(folder: Path, entries: Iterable[Rescored]) -> Path:
    """A new file of them, whole or absent. Raises StoreError."""
    path = paths.rescored_file(folder, datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ"), secrets.token_hex(3))
    lines = [checked_line.written({**entry}, SCHEMA) for entry in entries]
    atomic.write_text(path, "".join(f"{line}\n" for line in lines))
    return path


def read(folder: Path) -> Read:
    """Every score of a results folder that was computed afterwards. Raises StoreError."""
    found = Read([], [])
    below = paths.rescored(folder)
    try:
        names = sorted(name for name in os.listdir(below) if name.endswith(".jsonl"))
    except FileNotFoundError:
        return found
    except OSError as error:
        raise StoreError(f"{below}: cannot be read: {error.strerror}") from error
    for path in (below / name for name in names):
        try:
            for number, line in enumerate(safe_reading.lines(path), start=1):
                place = f"{path}:{number}"
                try:
                    found.entries.append(_parse(line, place))
                except ValueError as error:
                    found.damaged.append(f"{place}: {error}")
        except OSError as error:
            raise StoreError(f"{path}: cannot be read: {error.strerror}") from error
    return found


def _parse(line: bytes, place: str) -> Rescored:
    """One score. Raises ValueError saying what is wrong, StoreError where it is of a newer schema."""
    entry = checked_line.read(line, place, SCHEMA, "score")
    try:
        _FORM.validate_python(entry, strict=True)
    except ValidationError as error:
        raise ValueError(f"not a score: {'.'.join(map(str, error.errors()[0]['loc']))}") from None
    except (TypeError, RecursionError):
        raise ValueError("not a score") from None
    return cast(Rescored, entry)
