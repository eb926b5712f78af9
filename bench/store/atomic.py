"""Files and folders that are either whole or absent, however the process ends."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.store import disk
from bench.store.results_folder import inside, refuse_links

TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}")
"""The names that things have until they are whole; a killed process may leave some behind."""


def make_folder(path: Path) -> None:
    """Create a folder and its parents so that they survive a power cut. Raises OSError."""
    if path.is_dir():
        return
    make_folder(path.parent)
    try:
        disk.mkdir(path)
    except FileExistsError:
        if not path.is_dir():
            raise
    try:
        disk.sync_path(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            disk.rmdir(path)  # else the next attempt would find it and not wait for the disk
        raise


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file or nothing; an old one stays until then. Raises StoreError."""
    temporary = _temporary(path)
    with disk.refusing(path, len(data)):
        make_folder(path.parent)
        try:
            _fill(temporary, data)
            disk.rename(temporary, path)
        except BaseException:
            _remove(temporary)
            raise
        disk.sync_path(path.parent)


def write_text(path: Path, text: str) -> None:
    """`write_bytes` of a text in UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """`write_bytes` of indented JSON with sorted keys. Raises ValueError on NaN and infinities."""
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False)
    write_text(path, text + "\n")


@contextlib.contextmanager
def folder(path: Path, needed: int = 0) -> Iterator[Path]:
    """Yield an empty folder to fill; it becomes `path` when the block ends without an exception.

    needed: how many bytes it will hold, for the message on a full disk.
    Raises StoreError where `path` exists already or the disk refuses.
    """
    temporary = _temporary(path)
    with disk.refusing(path, needed):
        make_folder(path.parent)
        try:
            disk.mkdir(temporary)
            yield temporary
            for inside in temporary.rglob("*"):
                disk.sync_path(inside)
            disk.sync_path(temporary)
            disk.rename(temporary, path)
        except BaseException:
            _remove(temporary)
            raise
        disk.sync_path(path.parent)


def write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """A new folder of these files (names with / lie deeper), whole or absent. Raises StoreError as `folder` does."""
    with folder(path, sum(map(len, files.values()))) as partial:
        _fill_all(partial, files)


def replace_folder(path: Path, files: Mapping[str, bytes], stale: Callable[[str], bool]) -> None:
    """Have a folder hold these files from one moment to the next; until then it is as it was.

    What else it holds stays, but for files whose name below it is `stale`. Where the file system cannot swap two
    names at once, there is a moment without the folder. Raises StoreError, also where it is a link or holds one.
    """
    refuse_links(inside(path.parent, path.name))
    temporary = _temporary(path)
    with disk.refusing(path, sum(map(len, files.values()))):
        make_folder(path.parent)
        try:
            disk.mkdir(temporary)
            _fill_all(temporary, files)
            if path.exists():
                _carry_over(path, temporary, lambda name: name in files or stale(name))
            for place, _, _ in os.walk(temporary):
                disk.sync_path(Path(place))
            _swap(temporary, path)
        except BaseException:
            _remove(temporary)
            raise
        disk.sync_path(path.parent)
    _remove(temporary)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}")


def _fill(path: Path, data: bytes) -> None:
    descriptor = disk.create(path)
    try:
        disk.write_all(descriptor, data)
    finally:
        os.close(descriptor)


def _fill_all(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        if not (folder / name).parent.is_dir():
            disk.mkdir((folder / name).parent)
        _fill(folder / name, data)


def _carry_over(old: Path, new: Path, but: Callable[[str], bool], below: str = "") -> None:
    """Links to all files of a folder in another one, but for some; who may read it stays as it was."""
    for entry in sorted(os.scandir(old), key=lambda entry: entry.name):
        target, name = new / entry.name, f"{below}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            if not target.is_dir():
                disk.mkdir(target)
            _carry_over(Path(entry.path), target, but, f"{name}/")
        elif not but(name):
            disk.link(Path(entry.path), target)
    disk.copy_mode(old, new)


def _swap(new: Path, old: Path) -> None:
    """Let `new` have the name `old`, and what had it the name `new`."""
    if not old.exists():
        disk.rename(new, old)
    elif not disk.exchange(new, old):
        aside = _temporary(old)
        disk.rename(old, aside)
        try:
            disk.rename(new, old)
        except BaseException:
            disk.rename(aside, old)
            raise
        with contextlib.suppress(OSError):  # what is left aside is litter, and no failure
            disk.rename(aside, new)


def _remove(path: Path) -> None:
    """As much of a file or folder as can be removed."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            for inside in list(path.iterdir()):
                _remove(inside)
            disk.rmdir(path)
        elif os.path.lexists(path):
            disk.unlink(path)
