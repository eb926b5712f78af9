"""One runner at a time on a results folder: a second would run the same trials again."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from bench.errors import StoreError
from bench.store import atomic, paths, safe_reading, schema_version, validation
from bench.store.results_folder import Home, refuse_links
from bench.suite.trial import Json

GLANCE = 0.3
"""Seconds within which whoever only looks whether the folder is held has looked."""
MOST_BYTES = 1_000_000
"""Of what a holder leaves word of; more was written by somebody else."""


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[Home]:
    """Hold a results folder until this process ends, however it ends. Raises StoreError naming who holds it,
    or a link in it."""
    try:
        atomic.make_folder(folder)
        refuse_links(folder)
        home, hold = Home.of(folder), FileLock(paths.hold(folder))
        hold.acquire(timeout=GLANCE)
    except Timeout as error:
        raise StoreError(
            f"{folder}: another `bench run` or `bench lock` works here{_who(folder)}; wait for it, or give this one a "
            "folder of its own with --results"
        ) from error
    except OSError as error:
        raise StoreError(
            f"{folder}: cannot be written: {error.strerror}; name another folder with --results"
        ) from error
    try:
        for path in (paths.lock(folder), paths.plan(folder)):
            schema_version.guard(path)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        atomic.write_json(paths.holder(folder), {"pid": os.getpid(), "host": socket.gethostname(), "since": now})
        yield home
    finally:
        hold.release()


def tell(home: Home, more: Json) -> None:
    """Leave word of what the holder is doing, for `told`. Nothing depends on it, so it never fails."""
    with contextlib.suppress(StoreError, OSError, ValueError, KeyError, TypeError):
        home.check()
        path = paths.holder(home.folder)
        about = schema_version.parse(safe_reading.whole(path, MOST_BYTES), path)
        atomic.write_json(path, {**{key: about[key] for key in ("pid", "host", "since")}, **more})


def told(folder: Path) -> Json | None:
    """What the command that works in a results folder now has left word of; None where there is none.

    A file that a dead one has left counts for nothing: the lock is the kernel's.
    """
    try:
        if not _held(paths.hold(folder)):
            return None
        path = paths.holder(folder)
        found = schema_version.parse(safe_reading.whole(path, MOST_BYTES), path)
        validation.check(validation.Holder, found)
    except (StoreError, OSError, ValueError, TypeError):
        return {}
    return found


def _held(path: Path) -> bool:
    """Whether some process holds the lock. Asks for a share of it, and gives that back at once."""
    try:
        with safe_reading.plain(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _who(folder: Path) -> str:
    """The holder, where it has had the time to say so."""
    try:
        holder = json.loads(safe_reading.whole(paths.holder(folder)))
        return f": process {holder['pid']} on {holder['host']}, since {holder['since']}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""
