"""A content-addressed cache of what is expensive to compute: tokens, features, pretrained tiny models.

It lies in `BENCH_CACHE`, else in `bench` in the user's cache folder, and may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from bench.errors import StoreError
from bench.store import disk
from bench.suite.trial import Json, digest

WAIT = 5.0
"""Seconds between two signs of life while another process fills a folder."""


def waiting() -> None:
    """Called while another process fills a folder; a trial's process puts its sign of life here."""


def root() -> Path:
    """The cache's folder."""
    if "BENCH_CACHE" in os.environ:
        return Path(os.environ["BENCH_CACHE"])
    place = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(place) / "bench"


def cached(kind: str, key: Json, fill: Callable[[Path], None]) -> Path:
    """The folder for this key, filled by `fill(folder)` if it is not there yet.

    Whole or absent: it is filled under another name and then renamed. Two processes that want the same folder wait
    for each other, so that nothing is computed twice. Raises StoreError on a full disk, else what `fill` raises.
    """
    target = root() / kind / digest(key, 32)
    if target.is_dir():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        hold = FileLock(target.with_suffix(".lock"))
        _acquire(hold)
    except OSError as error:
        raise _refusal(target, error) from error
    try:
        if not target.is_dir():
            _fill(target, fill)
    except OSError as error:
        if error.errno not in disk.FULL:
            raise
        raise _refusal(target, error) from error
    finally:
        hold.release()
    return target


def _acquire(hold: FileLock) -> None:
    """Wait for whoever fills the folder, with a sign of life now and then."""
    while True:
        with contextlib.suppress(Timeout):
            hold.acquire(timeout=WAIT)
            return
        waiting()


def _refusal(target: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{target}: cannot be written: {error.strerror}; make room, or name a folder elsewhere in BENCH_CACHE"
    )


def _fill(target: Path, fill: Callable[[Path], None]) -> None:
    partial = target.with_name(f".partial-{target.name}")
    shutil.rmtree(partial, ignore_errors=True)  # a killed process's: whoever fills it holds the lock
    try:
        disk.mkdir(partial)
        fill(partial)
        for path in partial.rglob("*"):
            disk.sync_path(path)  # else a power cut could leave empty files under the whole folder's name
        disk.rename(partial, target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
