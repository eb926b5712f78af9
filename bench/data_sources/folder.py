"""A local folder of images, a folder a class: `{folder: images}` with `class/file.png` or `split/class/file.png`."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from bench.contracts import DataSource
from bench.data.decompression_limits import check_image
from bench.errors import DataError
from bench.store.cache import cached
from bench.suite.parameters import SourceParameters, distinct_folders

if TYPE_CHECKING:
    import datasets

SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"))


class FolderDataParameters(SourceParameters):
    """Which folder. Columns: image, label (its class's folder name). Without split folders all is `train`."""

    folder: Path = Field(description="of images: a folder a class, in a folder a split where there are splits")


class FolderData(DataSource[FolderDataParameters]):
    """Folders of images, known by a hash of their files."""

    VERSION = 1
    Parameters = FolderDataParameters

    def lock(self, parameters: FolderDataParameters) -> dict[str, str]:
        """Open every image once and return a hash of relative names and bytes. Raises DataError."""
        from PIL import Image

        for path in _images(parameters.folder):
            check_image(path, str(path))
            try:
                with Image.open(path) as image:
                    image.load()  # `verify` passes a truncated JPEG
            except (OSError, SyntaxError, ValueError) as error:
                raise DataError(f"{path}: is no readable image ({error}); repair or remove it") from error
        return {"fingerprint": self.fingerprint(parameters)}

    def fingerprint(self, parameters: FolderDataParameters) -> str:
        """A hash of the images' relative names and bytes. Raises DataError."""
        total = hashlib.sha256()
        for path in _images(parameters.folder):
            name = path.relative_to(parameters.folder).as_posix()
            total.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
        return total.hexdigest()

    def fetch(self, parameters: FolderDataParameters, fingerprint: str) -> datasets.DatasetDict:
        """Return every split, memory-mapped, the images in it. Raises DataError where that is not what was locked."""
        import datasets

        folder = parameters.folder
        images = _images(folder)
        if self.fingerprint(parameters) != fingerprint:
            raise DataError(f"{folder}: changed since it was locked; `bench lock SUITE --update` takes it as it is now")

        def convert(target: Path) -> None:
            names = sorted({path.parent.name for path in images})
            features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=names)})
            splits: dict[str, dict[str, list[str]]] = {}
            for path in images:
                parts = path.relative_to(folder).parts
                columns = splits.setdefault(parts[0] if len(parts) == 3 else "train", {"image": [], "label": []})
                columns["image"].append(str(path))
                columns["label"].append(path.parent.name)
            tables = {split: datasets.Dataset.from_dict(columns, features) for split, columns in splits.items()}
            datasets.DatasetDict(tables).save_to_disk(target)

        found = datasets.load_from_disk(cached("data", {"folder": fingerprint, "version": self.VERSION}, convert))
        assert isinstance(found, datasets.DatasetDict)
        return found


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"{folder}: is no folder; check `folder` in the suite")
    images = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not images:
        raise DataError(f"{folder}: holds no images ({', '.join(sorted(SUFFIXES))})")
    depths = {len(path.relative_to(folder).parts): path for path in images}
    if len(depths) > 1 or not depths.keys() <= {2, 3}:
        odd = depths[min(depths)] if min(depths) < 2 else depths[max(depths)]
        raise DataError(f"{odd}: put every image into class/file or every one into split/class/file under {folder}")
    try:
        distinct_folders({path.relative_to(folder).parts[0] for path in images if depths.keys() == {3}})
    except ValueError as error:
        raise DataError(f"{folder}: {error}") from error
    return images
