"""One runner at a time on a results folder: a second would run the same trials again."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from bench.errors import StoreError
from bench.store import atomic, paths, reading, schema
from bench.store.bounds import Home, refuse_links


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[Home]:
    """Hold a results folder until this process ends, however it ends. Raises StoreError naming who holds it,
    or a link in it."""
    try:
        atomic.make_folder(folder)
        refuse_links(folder)
        home, hold = Home.of(folder), FileLock(paths.hold(folder))
        hold.acquire(timeout=0)
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
            schema.guard(path)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        atomic.write_json(paths.holder(folder), {"pid": os.getpid(), "host": socket.gethostname(), "since": now})
        yield home
    finally:
        hold.release()


def _who(folder: Path) -> str:
    """The holder, where it has had the time to say so."""
    try:
        holder = json.loads(reading.whole(paths.holder(folder)))
        return f": process {holder['pid']} on {holder['host']}, since {holder['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
