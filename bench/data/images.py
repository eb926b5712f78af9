"""A data set's column of images, each looked at before it is decoded."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from bench.data.decompression_limits import check_image
from bench.errors import DataError
from bench.private_api import open_within

PLAIN = frozenset(("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"))
"""Pillow's modes of at most 8 bits a channel, whose `convert` is right."""


class Pictures(Sequence[Any]):
    """Images as PIL has them, decoded each time they are asked for, in at most 8 bits a channel.

    deep: the rows seen so far that had 16. Raises DataError naming the row that is no image, or one whose range nobody
    can tell.
    """

    def __init__(self, dataset: Any, column: str, place: str) -> None:
        import datasets

        self.deep: set[int] = set()
        self._feature = dataset.features[column]
        self._rows = dataset.cast_column(column, datasets.Image(decode=False))[column]
        self._place = place

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        image, where = self.decoded(int(index)), f"{self._place}, row {index}"
        if image.mode == "P" and isinstance(image.info.get("transparency"), bytes):
            return image.convert("RGBA")  # as Pillow wants it before it takes the transparency off
        if image.mode in PLAIN:
            return image
        if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
            self.deep.add(int(index))
            return _eight_bits(image)
        raise DataError(
            f"{where}: the image is of Pillow's mode {image.mode}, and nobody knows which of its numbers are black and "
            "white; save it with 8 or 16 bits a channel"
        )

    def decoded(self, index: int) -> Any:
        """An image in whatever mode it was saved. Raises DataError naming the row."""
        where = f"{self._place}, row {index}"
        kept = self._rows[index]
        if kept is None:
            raise DataError(f"{where}: the image is missing; leave the row out")
        content = kept["bytes"] if kept["bytes"] is not None else _read(kept["path"], where)
        check_image(io.BytesIO(content), where)
        try:
            return self._feature.decode_example({"bytes": content, "path": None})
        except (OSError, SyntaxError, ValueError) as error:
            raise DataError(f"{where}: is no readable image ({error}); repair or remove it") from error


def _eight_bits(image: Any) -> Any:
    """An image of 16 bits in 8, scaled by the range of its type: Pillow's own `convert` cuts all above 255 to white."""
    import numpy as np
    from PIL import Image

    return Image.fromarray(np.rint(np.asarray(image) / 257).astype(np.uint8))


def _read(path: str, where: str) -> bytes:
    """An image that lies beside its table, perhaps within an archive as `zip://a.png::/data.zip`."""
    if "://" in path.split("::")[-1]:
        raise DataError(f"{where}: the image is said to be at '{path}'; only images that come with the data are read")
    with open_within(path) as file:
        found: bytes = file.read()
    return found
