"""The folder for results and output of orders: one a run, removed with it or by the next."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from bench.errors import StoreError

PREFIX = "retrain-bench-"
"""Of the folder's name."""


def new() -> tuple[Path, FileLock]:
    """A new folder, and the lock that says it is in use. What killed runs left goes. Raises StoreError."""
    parent = None
    try:
        parent = Path(tempfile.gettempdir())
        for folder in parent.glob(f"{PREFIX}*"):
            _remove_unused(folder)
        found = Path(tempfile.mkdtemp(prefix=PREFIX))
        hold = FileLock(found / "lock")
        hold.acquire(timeout=0)
    except OSError as error:
        raise refusal(parent, error) from error
    return found, hold


@contextlib.contextmanager
def refused(folder: Path) -> Iterator[None]:
    """Raise StoreError for OSError."""
    try:
        yield
    except OSError as error:
        raise refusal(folder, error) from error


def end_of(path: Path, characters: int) -> str:
    """The end of a text file; nothing where it is gone."""
    try:
        return path.read_bytes()[-characters:].decode(errors="replace")
    except OSError:
        return ""


def _remove_unused(folder: Path) -> None:
    """Remove a scratch folder of this user's whose lock nobody holds: not on this machine, in no container."""
    with contextlib.suppress(OSError, Timeout):
        if (folder / "lock").is_file() and folder.stat().st_uid == os.getuid():
            with FileLock(folder / "lock", timeout=0):
                shutil.rmtree(folder, ignore_errors=True)


def refusal(folder: Path | None, error: OSError) -> StoreError:
    """What to say where a folder cannot be written; None: not even the temporary folder was found."""
    place = folder or "the temporary folder"
    return StoreError(
        f"{place}: cannot be written: {error.strerror or error}; make room there, or set TMPDIR elsewhere"
    )
