"""Records on disk: one JSON line per attempt, each with a schema version and a checksum."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from bench.errors import StoreError
from bench.store import atomic, paths
from bench.suite.trial import SCHEMA, canonical, digest

Record = dict[str, Any]


class Read(NamedTuple):
    """What a results folder holds: whole records, and one `file:line: problem` per line that is not one."""

    records: list[Record]
    damaged: list[str]


class Writer:
    """Appends the records of one run to one file, each on disk before `append` returns."""

    def __init__(self, folder: Path, run: str) -> None:
        self.path = paths.records_file(folder, datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"), run)
        self._descriptor: int | None = None
        self._end = 0

    def append(self, record: Record) -> None:
        """Add schema and checksum and write one line. Raises StoreError, leaving only whole lines behind."""
        try:
            whole = {**record, "schema": SCHEMA}
            whole.pop("checksum", None)
            line = canonical({**whole, "checksum": digest(whole, 64)}).encode() + b"\n"
        except (TypeError, ValueError) as error:
            raise StoreError(f"{self.path}: a record cannot be written as JSON: {error}") from error
        try:
            descriptor = self._open()
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        except OSError as error:
            self._cut_back()
            raise StoreError(
                f"{self.path}: a record cannot be written: {error.strerror}; make room and run again"
            ) from error
        self._end += len(line)

    def close(self) -> None:
        """Close the file; a later `append` is an error of the caller's."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> int:
        """Create the file with the first record, so that a run with nothing to do leaves none."""
        if self._descriptor is None:
            atomic.make_folder(self.path.parent)
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o666)
            atomic.sync(self.path.parent)
        return self._descriptor

    def _cut_back(self) -> None:
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._end)
                os.fsync(self._descriptor)


def _parse(line: bytes) -> Record:
    """One record. Raises ValueError saying what is wrong."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("not whole JSON") from None
    if not isinstance(record, dict):
        raise ValueError("not a record")
    checksum = record.pop("checksum", None)
    if digest(record, 64) != checksum:
        raise ValueError("does not match its checksum")
    if record.get("schema") != SCHEMA:
        raise ValueError(f"has schema {record.get('schema')}, this version reads {SCHEMA}")
    trial = record.get("trial")
    if not isinstance(trial, dict) or not isinstance(trial.get("id"), str) or not isinstance(record.get("status"), str):
        raise ValueError("not a record")
    return record


def read(folder: Path) -> Read:
    """All records of a results folder, in the order of file names. Raises StoreError where a file cannot be read."""
    result = Read([], [])
    for path in sorted(paths.records(folder).glob("*.jsonl")):
        try:
            lines = path.read_bytes().split(b"\n")
        except OSError as error:
            raise StoreError(f"{path}: cannot be read: {error.strerror}") from error
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                result.records.append(_parse(line))
            except ValueError as error:
                result.damaged.append(f"{path}:{number}: {error}")
    return result


def environment(record: Record) -> str:
    """The id of the environment a record was made in; empty where the attempt ended before it was known."""
    return str((record.get("environment") or {}).get("id") or "")


def latest(records: Iterable[Record]) -> dict[str, Record]:
    """Of each trial's attempts the newest `ok`, else the newest."""

    def rank(record: Record) -> tuple[bool, str]:
        return record["status"] == "ok", record.get("finished") or record.get("started") or ""

    chosen: dict[str, Record] = {}
    for record in records:
        trial = record["trial"]["id"]
        if trial not in chosen or rank(record) >= rank(chosen[trial]):
            chosen[trial] = record
    return chosen


def disagreements(records: Iterable[Record]) -> dict[tuple[str, str], list[Record]]:
    """By trial and environment, the `ok` attempts whose scores are not all the same."""
    attempts: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        if record["status"] == "ok":
            attempts.setdefault((record["trial"]["id"], environment(record)), []).append(record)
    return {key: group for key, group in attempts.items() if len({canonical(r.get("scores")) for r in group}) > 1}
