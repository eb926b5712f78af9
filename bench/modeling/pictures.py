"""A data set's column of images, each looked at before it is decoded."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from bench.errors import DataError
from bench.expansion import check_image
from bench.private_api import open_within


class Pictures(Sequence[Any]):
    """Images as PIL has them, decoded each time they are asked for. Raises DataError naming the row that is none."""

    def __init__(self, dataset: Any, column: str, place: str) -> None:
        import datasets

        self._feature = dataset.features[column]
        self._rows = dataset.cast_column(column, datasets.Image(decode=False))[column]
        self._place = place

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        where = f"{self._place}, row {index}"
        kept = self._rows[int(index)]
        if kept is None:
            raise DataError(f"{where}: the image is missing; leave the row out")
        content = kept["bytes"] if kept["bytes"] is not None else _read(kept["path"], where)
        check_image(io.BytesIO(content), where)
        try:
            return self._feature.decode_example({"bytes": content, "path": None})
        except (OSError, SyntaxError, ValueError) as error:
            raise DataError(f"{where}: is no readable image ({error}); repair or remove it") from error


def _read(path: str, where: str) -> bytes:
    """An image that lies beside its table, perhaps within an archive as `zip://a.png::/data.zip`."""
    if "://" in path.split("::")[-1]:
        raise DataError(f"{where}: the image is said to be at '{path}'; only images that come with the data are read")
    with open_within(path) as file:
        found: bytes = file.read()
    return found
