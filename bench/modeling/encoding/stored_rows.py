"""Rows of equal shape in a `.npy` file, read when they are asked for.

Mapped into memory, what is read of a file counts as the process's own: the memory that a trial is said to need would be
that of its data set.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np


class StoredRows:
    """The rows of a file: an array [n, …] that is indexed by one number, or by several at once. Raises OSError where
    the file is cut short."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            self.shape, _, self.dtype = np.lib.format.read_array_header_1_0(file)
            self._start = file.tell()
            self._file = os.dup(file.fileno())  # no position of it is used: forks of this process may read too
        weakref.finalize(self, os.close, self._file)
        self._path = path
        self._size = int(np.prod(self.shape[1:])) * self.dtype.itemsize

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, rows: Any) -> np.ndarray:
        wanted = np.arange(len(self))[rows]
        found = np.empty((wanted.size, *self.shape[1:]), dtype=self.dtype)
        for into, row in zip(found, wanted.ravel().tolist(), strict=True):
            if os.preadv(self._file, [into.data.cast("B")], self._start + row * self._size) != self._size:
                raise OSError(f"{self._path}: is cut short at row {row}")
        return found.reshape(*wanted.shape, *self.shape[1:])


def write_rows(path: Path, count: int, chunks: Iterable[np.ndarray]) -> None:
    """Write `count` rows of one shape and type, which come in chunks [n, …]. Of no rows there is no file."""
    with path.open("wb") as file:
        for chunk in chunks:
            if not file.tell():
                header = {"descr": np.lib.format.dtype_to_descr(chunk.dtype), "fortran_order": False,
                          "shape": (count, *chunk.shape[1:])}  # fmt: skip
                np.lib.format.write_array_header_1_0(file, header)
            file.write(np.ascontiguousarray(chunk).data)
