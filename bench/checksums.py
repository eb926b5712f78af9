"""Whether what the Hub's client downloaded is what the Hub said it would be.

The Hub's client names a file in its cache by the SHA-256 that the Hub gives for it (small texts, kept in git, have
another), but over plain HTTP it compares sizes alone. What was verified is remembered by place, size and time.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from bench.store.cache import cached


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


def _compare(file: Path, blob: Path) -> None:
    with blob.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != blob.name:
        for path in (file, blob):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
        raise ChecksumError(
            f"{file.name} came with SHA-256 {found[:12]}…, and the Hub says {blob.name[:12]}…; it was removed, so that "
            "running again downloads it anew"
        )
