"""Records on disk: one JSON line per attempt, each with a schema version and a checksum."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from bench.errors import StoreError
from bench.store import atomic, checked_line, disk, paths, safe_reading, torn, validation
from bench.store.record import OLDEST, SCHEMA, Record, lift
from bench.store.results_folder import Home
from bench.suite.trial import canonical

MOST_DAMAGED = 1000
"""Damaged lines of one file that are told of; what is after them is not read."""


class Read(NamedTuple):
    """What a results folder holds: whole records, and one `file:line: problem` per line that is not one: torn
    where a kill cut it short and its trial ran again, so that nothing is lost, else damaged."""

    records: list[Record]
    damaged: list[str]
    torn: list[str]


class Writer:
    """Appends the records of one run to one file, each on disk before `append` returns. home: the folder as it was when
    the run began."""

    def __init__(self, folder: Path, run: str, home: Home | None = None) -> None:
        self.path = paths.records_file(folder, datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"), run)
        self._home = home
        self._descriptor: int | None = None
        self._named = False
        self._end = 0
        self._torn = False

    def append(self, record: Record) -> None:
        """Add schema and checksum and write one line.

        Raises StoreError, also where the folder or the file is no longer in its place, and cuts off what it wrote of
        the line; where that fails too, the next call begins with it and writes nothing before.
        """
        self._check_place()
        try:
            line = checked_line.written({**record}, SCHEMA).encode() + b"\n"
        except (TypeError, ValueError) as error:
            raise StoreError(f"{self.path}: a record cannot be written as JSON: {error}") from error
        with disk.refusing(self.path, len(line), "a record "):
            self._cut_back()
            descriptor = self._open()
            self._torn = True  # until all is written, for Ctrl-C too: the next call, or `close`, then cuts it off
            try:
                disk.write_all(descriptor, line)
            except OSError:
                self._try_to_cut_back()
                raise
            self._torn = False
            self._end += len(line)

    def close(self) -> None:
        """Close the file; a later `append` is an error of the caller's."""
        if self._descriptor is not None:
            self._try_to_cut_back()
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_place(self) -> None:
        """Raise StoreError where what is appended would be lost."""
        if self._home is not None:
            self._home.check()
        if self._descriptor is None:
            return
        own = os.fstat(self._descriptor)
        try:
            there = own.st_nlink > 0 and os.path.samestat(own, os.lstat(self.path))
        except OSError:
            there = False
        if not there:
            raise StoreError(
                f"{self.path}: was removed or renamed while this ran, and nothing more is written to it; put it back "
                "and run again to go on"
            )

    def _open(self) -> int:
        """Create the file with the first record, so that a run with nothing to do leaves none."""
        if self._descriptor is None:
            atomic.make_folder(self.path.parent)
            self._descriptor = disk.create(self.path)
        if not self._named:
            disk.sync_path(self.path.parent)
            self._named = True
        return self._descriptor

    def _cut_back(self) -> None:
        """Leave whole lines only. Raises OSError.

        After a failed fsync the kernel takes the pages for clean although the disk may not have them. Cutting within
        the last page makes it dirty, so the fsync here writes the end of the lines before anew.
        """
        if self._torn and self._descriptor is not None:
            disk.truncate(self._descriptor, self._end)
            disk.sync(self._descriptor)
            self._torn = False

    def _try_to_cut_back(self) -> None:
        for _ in range(2):
            with contextlib.suppress(OSError):
                self._cut_back()


def _parse(line: bytes, place: str) -> Record:
    """One record. Raises ValueError saying what is wrong, StoreError where it is of a newer schema."""
    record = checked_line.read(line, place, SCHEMA, "record")
    schema = record.get("schema")
    if not isinstance(schema, int) or not OLDEST <= schema <= SCHEMA:
        raise ValueError(f"has schema {schema}, this version reads {OLDEST} to {SCHEMA}")
    return validation.check_record(record if schema == SCHEMA else lift(record))


def read(folder: Path) -> Read:
    """All records of a results folder, in the order of file names.

    Raises StoreError where a file cannot be read, or holds a record of a newer schema.
    """
    result = Read([], [], [])
    cut_short: list[tuple[str, str, int]] = []
    for path in files(folder):
        damaged, last = 0, None
        try:
            for number, line in enumerate(safe_reading.lines(path), start=1):
                if not line.strip():
                    continue
                place, last = f"{path}:{number}", None
                try:
                    result.records.append(_parse(line, place))
                except ValueError as error:
                    result.damaged.append(f"{place}: {error}")
                    damaged, last = damaged + 1, line
                if damaged == MOST_DAMAGED:
                    result.damaged.append(f"{place}: the rest is not read, after {damaged:,} damaged lines")
                    break
            else:
                if last is not None and (trial := torn.trial(folder, path, last)):
                    cut_short.append((result.damaged[-1], trial, len(result.records)))
        except OSError as error:
            raise StoreError(f"{path}: cannot be read: {error.strerror}") from error
    for problem, trial, before in cut_short:
        if any(record["trial"]["id"] == trial for record in result.records[before:]):
            result.damaged.remove(problem)
            result.torn.append(problem)
    return result


def files(folder: Path) -> list[Path]:
    """The records files of a results folder, by name. Raises StoreError."""
    below = paths.records(folder)
    try:
        return sorted(below / name for name in os.listdir(below) if name.endswith(".jsonl"))
    except FileNotFoundError:
        return []
    except OSError as error:  # taken for empty, all of its trials would run again
        raise StoreError(f"{below}: cannot be read: {error.strerror}") from error


def environment(record: Record) -> str:
    """The id of the environment a record was made in; empty where the attempt ended before it was known."""
    return str(record.get("environment", {}).get("id", ""))


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
    """By trial and environment, the `ok` attempts whose scores are not all the same, of those that all of them have:
    what could not be measured in one is no disagreement."""
    attempts: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        if record["status"] == "ok":
            attempts.setdefault((record["trial"]["id"], environment(record)), []).append(record)
    return {key: group for key, group in attempts.items() if len(group) > 1 and _differ(group)}


def _differ(group: Sequence[Record]) -> bool:
    scores = [
        {
            (part, name): canonical(value)
            for part, found in record.get("scores", {}).items()
            for name, value in (found.items() if isinstance(found, dict) else [("", found)])
        }
        for record in group
    ]
    return any(len({one[key] for one in scores}) > 1 for key in set.intersection(*map(set, scores)))
