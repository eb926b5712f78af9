"""A data set's column of masks: for each image one of its size that holds a class number at every pixel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from bench.data.images import Pictures
from bench.errors import DataError

UNLABELLED = 255
"""What pixels have that nobody labelled; so there are at most 255 classes."""
_UNKNOWN = -1
_MOST = 1 << 16


class Masks(Sequence[np.ndarray]):
    """Masks by the task's class numbers, uint8 [height, width], decoded each time they are asked for.

    pictures: the column; classes: {number in the data: class of the task}; ignored: numbers in the data of pixels that
    nobody labelled. Raises DataError where a mask is none.
    """

    def __init__(self, pictures: Pictures, classes: Mapping[int, int], ignored: Iterable[int]) -> None:
        self._pictures, self._classes = pictures, dict(classes)
        self._meaning = np.full(_MOST, _UNKNOWN, dtype=np.int16)
        self._meaning[list(ignored)] = UNLABELLED
        self._meaning[list(classes)] = list(classes.values())

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self.meant(numbers(self._pictures.decoded(int(index))))

    def meant(self, raw: np.ndarray) -> np.ndarray:
        """The task's classes, uint8, of what stands in a mask. Raises DataError, without the row."""
        found = self._meaning[raw]
        if (found == _UNKNOWN).any():
            value, known = int(raw[found == _UNKNOWN][0]), sorted(self._classes)
            raise DataError(
                f"the mask holds {value}, which is no class (these are {known[0]} to {known[-1]}) and does not stand "
                "under ignore; name it under labels, or under ignore where nobody labelled such pixels"
            )
        classes: np.ndarray = found.astype(np.uint8)
        return classes

    def renumbered(self, into: np.ndarray) -> Masks:
        """The same masks by other class numbers: into, int [classes]. Raises DataError where a class has none (-1)."""
        classes = {raw: int(into[number]) for raw, number in self._classes.items()}
        if lost := [raw for raw, number in classes.items() if number < 0]:
            raise DataError(f"the masks' class {lost[0]} is none of the task's")
        return Masks(self._pictures, classes, np.flatnonzero(self._meaning == UNLABELLED).tolist())


def numbers(picture: Any) -> np.ndarray:
    """What stands in a mask, uint16 [height, width]: grey values or a palette's indices. Raises DataError."""
    found = np.asarray(picture)
    if found.ndim != 2 or found.dtype.kind not in "bui" or (found.size and not 0 <= found.min() <= found.max() < _MOST):
        raise DataError(
            f"the mask is in colour (Pillow's mode {picture.mode}); save it with one class number a pixel, as a PNG in "
            "grey or with a palette"
        )
    return found.astype(np.uint16)
