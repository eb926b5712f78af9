"""What keeps a run inside its results folder: no link in it is followed, and it stays the folder that it was.

A folder that was cloned or unpacked may hold links, which may lead anywhere. The folder itself, as the user named it,
may be one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.errors import StoreError


def inside(folder: Path, *parts: str) -> Path:
    """A place in a folder. Raises StoreError where there is a link on the way to it."""
    path = folder
    for part in parts:
        path /= part
        if path.is_symlink():
            raise _refusal(path)
    return path


def refuse_links(folder: Path) -> None:
    """Raise StoreError naming the first link in a folder, however deep; the folder itself may be one."""
    for link in _links(folder):
        raise _refusal(link)


def _links(folder: Path) -> Iterator[Path]:
    below: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.is_symlink():
                    yield folder / entry.name
                elif entry.is_dir(follow_symlinks=False):
                    below.append(folder / entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise StoreError(f"{folder}: cannot be read: {error.strerror}") from error
    for each in below:
        yield from _links(each)


def _refusal(link: Path) -> StoreError:
    return StoreError(
        f"{link}: is a link, and none in a results folder is followed, since it may lead anywhere; put what it leads "
        "to in its place, or remove it"
    )


@dataclass(frozen=True)
class Home:
    """A results folder as it was when a run began."""

    folder: Path
    device: int
    inode: int

    @classmethod
    def of(cls, folder: Path) -> Home:
        """The folder as it is now. Raises OSError."""
        found = os.stat(folder)
        return cls(folder, found.st_dev, found.st_ino)

    def check(self) -> None:
        """Raise StoreError where the folder has gone, or another has its name: what is written there would be lost."""
        try:
            found = os.stat(self.folder)
            same = (found.st_dev, found.st_ino) == (self.device, self.inode)
        except OSError:
            same = False
        if not same:
            raise StoreError(
                f"{self.folder}: was removed or renamed while this ran, and nothing more is written; put it back and "
                "run again to go on, or run again to begin anew"
            )
