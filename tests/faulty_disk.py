"""A disk that fails at any operation, once or for good, and one that is really full."""

from __future__ import annotations

import errno
import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.errors import StoreError
from bench.store import atomic, disk

FOREVER = 10**9
FAULTS = [*itertools.product(("ENOSPC", "EIO", "short"), (1, 2, FOREVER))]
faulty = pytest.mark.parametrize(("kind", "times"), FAULTS, ids=lambda value: "good" if value == FOREVER else value)


class Faults:
    """Lets the n-th change of the disk fail and so many after it; `hit` tells whether any did.

    A short write does half of its work; what follows it fails.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, first: int, kind: str, times: int) -> None:
        self.first, self.kind, self.last, self.count = first, kind, first + times - 1, 0
        monkeypatch.setattr(disk, "sync", lambda _: None)  # waiting for the disk each time takes long and shows nothing
        for name in disk.OPERATIONS:
            monkeypatch.setattr(disk, name, self._wrapped(name, getattr(disk, name)))

    @property
    def hit(self) -> bool:
        return self.count >= self.first

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def operation(*arguments: Any) -> Any:
            self.count += 1
            if not self.first <= self.count <= self.last:
                return real(*arguments)
            if self.kind == "short" and name == "write" and self.count == self.first:
                self.last += 1
                return real(arguments[0], arguments[1][: len(arguments[1]) // 2])
            code = errno.EIO if self.kind == "EIO" else errno.ENOSPC
            raise OSError(code, os.strerror(code))

        return operation


def each(kind: str, times: int, tmp_path: Path) -> Iterator[tuple[Path, Faults, pytest.MonkeyPatch]]:
    """A fresh folder and faults from the first operation, the second, … until none is hit."""
    for first in itertools.count(1):
        with pytest.MonkeyPatch.context() as patch:
            folder = tmp_path / str(first)
            folder.mkdir()
            faults = Faults(patch, first, kind, times)
            yield folder, faults, patch
            if not faults.hit:
                assert first > 5
                return


def tree(folder: Path) -> dict[str, bytes]:
    """All files below a folder but those that never became whole."""
    found = [p for p in folder.rglob("*") if p.is_file()]
    inside = {p: p.relative_to(folder).parts for p in found}
    return {"/".join(inside[p]): p.read_bytes() for p in found if not any(map(atomic.TEMPORARY.fullmatch, inside[p]))}


def litter(folder: Path) -> list[Path]:
    return [p for p in folder.rglob(".*") if atomic.TEMPORARY.fullmatch(p.name)]


def refusal(action: Callable[..., object], *arguments: object) -> str | None:
    """What a StoreError said; None where there was none."""
    try:
        action(*arguments)
    except StoreError as error:
        return str(error)
    return None


def on_a_small_disk(folder: Path, source: str) -> str:
    """Run source text where `disk` is the path of an empty file system of 64 KiB; returns what it prints."""
    mount = ["unshare", "-rm", "sh", "-c", f'mount -t tmpfs -o size=64k tmpfs {folder} && exec "$@"', "sh"]
    try:
        subprocess.run([*mount, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no file system can be mounted here")
    source = f"import pathlib\ndisk = pathlib.Path({str(folder)!r})\n{source}"
    done = subprocess.run([*mount, sys.executable, "-c", source], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
