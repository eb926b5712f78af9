"""The one place where file names inside a results folder are built. All raise StoreError where a link is on the way."""

from __future__ import annotations

import os
import re
from pathlib import Path

from bench.errors import StoreError, UsageError
from bench.store.results_folder import inside

_SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


def _component(value: str) -> str:
    """Records may come from anybody's folder: what they hold must not lead out of this one."""
    if not _SAFE.fullmatch(value):
        raise StoreError(f"'{value}' cannot be part of a file name in a results folder; use letters, digits, - _ .")
    return value


def openable(what: str, folder: Path) -> None:
    """Refuse a folder whose name is no UTF-8: no record holds it, no library finds it. Raises UsageError."""
    try:
        str(folder.absolute()).encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(folder.absolute()).decode(errors="replace")
        raise UsageError(f"{shown}: {what} cannot lie there, its name is not UTF-8; rename the folder") from error


def records(folder: Path) -> Path:
    """The folder of all records files."""
    return inside(folder, "records")


def records_file(folder: Path, utc: str, run: str) -> Path:
    """The file one run appends to; `utc` like `20260131T235959Z`, so that names sort by time."""
    return inside(records(folder), f"{_component(utc)}-{_component(run)}.jsonl")


def lock(folder: Path) -> Path:
    """What every name in the suite meant."""
    return inside(folder, "lock.json")


def holder(folder: Path) -> Path:
    """Which process runs the suite, or ran it last."""
    return inside(folder, ".run.json")


def hold(folder: Path) -> Path:
    """What the process that works on the folder holds."""
    return inside(folder, ".run.lock")


def plan(folder: Path) -> Path:
    """The suite's tables as planned."""
    return inside(folder, "plan.json")


def artifacts(folder: Path, trial: str, attempt: str) -> Path:
    """The folder of one attempt's predictions and curve."""
    return inside(folder, "artifacts", _component(trial), _component(attempt))


def predictions(folder: Path, trial: str, attempt: str, on: str = "") -> Path:
    """One row per test example and template, of the test split or of the also_test set of that name."""
    name = f"also-{_component(on)}" if on else "predictions"
    return inside(artifacts(folder, trial, attempt), f"{name}.parquet")


def curve(folder: Path, trial: str, attempt: str) -> Path:
    """Training loss per step and validation scores."""
    return inside(artifacts(folder, trial, attempt), "curve.json")


def rescored(folder: Path) -> Path:
    """The folder of scores that were computed from predictions afterwards."""
    return inside(folder, "rescored")


def rescored_file(folder: Path, utc: str, run: str) -> Path:
    """The file that one `bench rescore` writes; its name sorts by time."""
    return inside(rescored(folder), f"{_component(utc)}-{_component(run)}.jsonl")


def models(folder: Path) -> Path:
    """The folder of the models that were kept."""
    return inside(folder, "models")


def model(folder: Path, name: str) -> Path:
    """The folder of one of them."""
    return inside(models(folder), _component(name))


def audit(folder: Path) -> Path:
    """What `bench audit` found of the suite's data."""
    return inside(folder, "audit.json")


def checkpoints(folder: Path, trial: str, *within: str) -> Path:
    """Where a long trial keeps what it goes on from; absent when it has ended. within: another trial that it needs."""
    return inside(folder, "checkpoints", _component(trial), *map(_component, within))


def report(folder: Path) -> Path:
    """What `bench report` writes."""
    return inside(folder, "report")


def suite(results: Path, name: str) -> Path:
    """The folder of one suite's results, below the one that the user named."""
    return inside(results, name)


def holds_results(folder: Path, *, begun: bool = False) -> bool:
    """Whether a folder is one suite's results; begun: or a command has begun to work there."""
    started = begun and (folder / ".run.json").is_file()
    return started or (folder / "records").is_dir() or (folder / "plan.json").is_file()


def suites(results: Path, *, begun: bool = False) -> list[Path]:
    """The folder itself where it holds one suite's results (`records/` or `plan.json`), else those in it that do.

    begun: those count too in which a command has only begun to work.
    Raises UsageError where there is none, StoreError where one of those in it is a link.
    """

    if holds_results(results, begun=begun):
        return [results]
    folders = sorted(p for p in results.iterdir() if holds_results(p, begun=begun)) if results.is_dir() else []
    if not folders:
        if results.suffix.lower() in (".yaml", ".yml") and not results.exists():
            raise UsageError(f"{results}: no such file")
        raise UsageError(f"{results}: no results here; `bench run SUITE` writes them")
    return [inside(results, folder.name) for folder in folders]
