"""Whether a results folder holds what its records say."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

from bench.analysis import outcomes
from bench.errors import StoreError
from bench.planning import lock
from bench.store import atomic, paths, records, rescored, safe_reading, schema_version, validation
from bench.store.record import Record, Values
from bench.store.results_folder import refuse_links
from bench.suite.trial import Json


@dataclasses.dataclass(frozen=True)
class Checked:
    """One suite's folder. problems: a line each; leftovers: paths, and lines of records files, that
    killed processes left, which does no harm."""

    suite: str
    records: int
    problems: list[str]
    leftovers: list[str]

    def to_json(self) -> Json:
        """What `bench check --json` prints for it."""
        return dataclasses.asdict(self)


def check(folder: Path) -> Checked:
    """Read all of a suite's results. Raises StoreError where that is impossible, or a newer version wrote them."""
    refuse_links(folder)
    for path in (paths.lock(folder), paths.plan(folder)):
        schema_version.guard(path)
    read = records.read(folder)
    problems = [*read.damaged, *rescored.read(folder).damaged, *_documents(folder)]
    for record in read.records:
        if record["status"] == "ok":
            problems += _artifacts(folder, record)
    for (trial, _), attempts in records.disagreements(read.records).items():
        names = ", ".join(str(record.get("attempt")) for record in attempts)
        problems.append(f"trial {trial}: {len(attempts)} attempts in one environment disagree: {names}")
    return Checked(folder.resolve().name, len(read.records), problems, [*read.torn, *_leftovers(folder, read.records)])


def _documents(folder: Path) -> Iterator[str]:
    try:
        lock.read(folder)
    except StoreError as error:
        yield str(error)
    path = paths.plan(folder)
    if path.exists():
        try:
            validation.check(validation.Plan, schema_version.read(path))
        except (OSError, ValueError, TypeError) as error:
            yield f"{path}: cannot be read ({error}); `bench run` writes it anew"


def _artifacts(folder: Path, record: Record) -> Iterator[str]:
    trial, attempt = record["trial"]["id"], str(record.get("attempt"))
    try:
        curve, own = paths.curve(folder, trial, attempt), paths.predictions(folder, trial, attempt)
    except StoreError as error:
        yield f"trial {trial}: {error}"
        return
    try:
        json.loads(safe_reading.whole(curve))
    except (OSError, ValueError, RecursionError) as error:
        yield f"{curve}: {_why(error)}, and its record is ok"
    if record["trial"].get("purpose") != "tuning":
        yield from _predictions(own, record, record["scores"].get("test", {}))
        for name, scores in record["scores"].get("also_test", {}).items():
            try:
                place = paths.predictions(folder, trial, attempt, name)
            except StoreError as error:
                yield f"trial {trial}: {error}"
                continue
            yield from _predictions(place, record, scores)


def _predictions(path: Path, record: Record, found: Values) -> Iterator[str]:
    """The mean outcome is the score, where the metric is a mean over examples; elsewhere there are no outcomes."""
    metric = str(record["scores"].get("metric"))
    try:
        outcomes.read(path, metric, found.get(metric))
    except FileNotFoundError:
        yield f"{path}: is missing, and its record is ok"
    except ValueError as error:
        yield f"{path}: {error}, and its record is ok"


def _why(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "is missing"
    return f"cannot be read ({str(error).splitlines()[0] if str(error) else type(error).__name__})"


def _leftovers(folder: Path, known: list[Record]) -> Iterator[str]:
    """What was being written when its process was killed, and artifacts whose record was not written any more."""
    artifacts = folder / "artifacts"
    below = [
        folder,
        paths.records(folder),
        paths.rescored(folder),
        paths.models(folder),
        artifacts,
        *artifacts.glob("*"),
    ]
    for place in below:
        if place.is_dir():
            yield from (str(p) for p in sorted(place.iterdir()) if atomic.TEMPORARY.fullmatch(p.name))
    attempts = {(r["trial"]["id"], str(r.get("attempt"))) for r in known}
    for path in sorted(artifacts.glob("*/*")):
        if (path.parent.name, path.name) not in attempts and not atomic.TEMPORARY.fullmatch(path.name):
            yield str(path)
