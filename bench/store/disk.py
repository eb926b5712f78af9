"""Every change that the store makes to the disk, a function each, so that tests can let any of them fail.

All raise OSError as `os` does; `refusing` turns that into the StoreError a user reads.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from bench.errors import StoreError

OPERATIONS = ("create", "write", "sync", "truncate", "rename", "exchange", "link", "mkdir", "unlink", "rmdir")
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def create(path: Path) -> int:
    """The descriptor of a new file that is only appended to."""
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o666)


def write(descriptor: int, data: bytes | memoryview) -> int:
    """Write some of the bytes; returns how many."""
    return os.write(descriptor, data)


def sync(descriptor: int) -> None:
    """Wait until the disk has what was written."""
    os.fsync(descriptor)


def truncate(descriptor: int, length: int) -> None:
    """Cut a file off after so many bytes."""
    os.ftruncate(descriptor, length)


def rename(source: Path, target: Path) -> None:
    """Give a file or folder another name, at once; a file that has it is replaced."""
    os.replace(source, target)


def exchange(one: Path, other: Path) -> bool:
    """Swap two names at once; False where the system or the file system cannot."""
    swap = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if swap is None:
        return False
    if swap(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(other))


def link(source: Path, target: Path) -> None:
    """A second name for a file; where there cannot be one, a copy."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def mkdir(path: Path) -> None:
    """Create one folder."""
    os.mkdir(path)


def copy_mode(source: Path, target: Path) -> None:
    """Who may read and write a folder, as it is for another one."""
    shutil.copymode(source, target)


def unlink(path: Path) -> None:
    """Remove one file."""
    os.unlink(path)


def rmdir(path: Path) -> None:
    """Remove one empty folder."""
    os.rmdir(path)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of the bytes and wait until the disk has them."""
    rest = memoryview(data)
    while rest:
        rest = rest[write(descriptor, rest) :]
    sync(descriptor)


def sync_path(path: Path) -> None:
    """Wait until the disk has a file, or a folder's list of names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def refusing(path: Path, needed: int = 0, what: str = "") -> Iterator[None]:
    """Raise StoreError for OSError. needed: bytes that were to be written, 0 where unknown."""
    try:
        yield
    except OSError as error:
        room = f"needs room for {needed:,} bytes more; " if needed else ""
        remedy = f"{room}make room" if error.errno in FULL else "put that right"
        raise StoreError(
            f"{path}: {what}cannot be written: {error.strerror or error}; {remedy} and run again"
        ) from error
