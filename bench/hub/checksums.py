"""Whether files are still what they were: what the Hub's client downloaded, and what a suite has locked.

The Hub's client names a file in its cache by the SHA-256 that the Hub gives for it (small texts, kept in git, have
another), but over plain HTTP it compares sizes alone. What was verified is remembered by place, size and time.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from collections.abc import Iterable
from pathlib import Path

from bench.store.cache import cached

SETTLED = 2.0
"""Seconds after which a file's times tell of its next change, on any file system."""


class ChecksumError(Exception):
    """A downloaded file differs from what the Hub announced. It has been removed, so the next attempt downloads it."""


def verify(files: Iterable[Path]) -> None:
    """Hash, once, every file whose name in the Hub's cache is a SHA-256. Raises ChecksumError, the file removed."""
    for file in files:
        blob = file.resolve()
        if not re.fullmatch(r"[0-9a-f]{64}", blob.name) or not blob.is_file():
            continue
        found = blob.stat()
        key = {"blob": str(blob), "bytes": found.st_size, "written": found.st_mtime_ns}
        cached("verified", key, lambda _, file=file, blob=blob: _compare(file, blob))  # type: ignore[misc]


def hashed(path: Path) -> str:
    """A file's SHA-256. One that is where it was, with the same inode, size and times, is not read again; unless it was
    written a moment ago, when the next change could leave its times as they are. Raises OSError."""
    found = path.stat()
    key = {
        "path": str(path.absolute()), "inode": found.st_ino, "bytes": found.st_size,
        "written": found.st_mtime_ns, "changed": found.st_ctime_ns,
    }  # fmt: skip
    if time.time() - max(found.st_mtime, found.st_ctime) < SETTLED:
        return _sha256(path)
    return (cached("hashed", key, lambda target: _keep(_sha256(path), target)) / "sha256").read_text()


def _keep(digest: str, folder: Path) -> None:
    (folder / "sha256").write_text(digest)


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _compare(file: Path, blob: Path) -> None:
    found = _sha256(blob)
    if found != blob.name:
        for path in (file, blob):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
        raise ChecksumError(
            f"{file.name} came with SHA-256 {found[:12]}…, and the Hub says {blob.name[:12]}…; it was removed, so that "
            "running again downloads it anew"
        )
