"""Reads what somebody else may have put into a results folder: plain files alone, and no more than fits.

A pipe would be waited for without end, a device has no end, and of a sparse file a gigabyte costs its sender nothing.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

MOST = 1 << 28
"""Bytes of a document that is read as a whole."""
MOST_RECORDS = 1 << 32
"""Bytes of a file of records, which is read line by line."""
MOST_LINE = 1 << 25
"""Bytes of one record."""


class UnfitError(OSError):
    """What is at a place is not to be read."""

    def __str__(self) -> str:
        return str(self.strerror)


def plain(path: Path, most: int = MOST) -> BinaryIO:
    """Open a file for reading. Raises OSError, also for a link, for what is no file, and for too large a one."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise UnfitError(errno.EINVAL, "it is no file", str(path))
        if found.st_size > most:
            raise UnfitError(errno.EFBIG, f"its {found.st_size:,} bytes are more than {most:,}", str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def whole(path: Path, most: int = MOST) -> bytes:
    """All that a plain file holds. Raises OSError as `plain` does."""
    with plain(path, most) as file:
        return file.read(most)


def lines(path: Path) -> Iterator[bytes]:
    """The lines of a plain file, without their ends; of one longer than MOST_LINE no more than a part.

    Raises OSError as `plain` does.
    """
    with plain(path, MOST_RECORDS) as file:
        while line := file.readline(MOST_LINE + 1):
            if len(line) > MOST_LINE:
                rest = line
                while rest and not rest.endswith(b"\n"):
                    rest = file.readline(MOST_LINE)
            yield line.rstrip(b"\n")
