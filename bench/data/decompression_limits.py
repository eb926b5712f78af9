"""Refuses data that would unpack to far more than it is: a few kilobytes can stand for a full disk or all memory.

Every check reads headers, or unpacks piece by piece and keeps nothing, so that it never holds what it refuses.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from bench.errors import DataError

FREE_BYTES = 256 * 2**20
"""Any file may unpack to so much."""
RATIO = 100
"""Beyond that, to so many times its own size: text packs 3 to 20 times."""
MOST_PIXELS = 2**26
"""An image's width times height: 192 MiB of RGB."""
IMAGES = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""What Pillow may take an image for: others run programs of their own (EPS) or are of no use here."""
_CHUNK = 2**20
_ROWS = 64
_OPENERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
_REFUSED = {b"\x28\xb5\x2f\xfd": "zstd", b"Rar!": "rar", b"7z\xbc\xaf": "7z", b"\x04\x22\x4d\x18": "lz4"}


def check_file(path: Path, place: str) -> None:
    """Check a data file, whatever its name says it is. Raises DataError where it would unpack to too much."""
    with path.open("rb") as file:
        start = file.read(8)
    refused = next((name for magic, name in _REFUSED.items() if start.startswith(magic)), None)
    if refused is not None:
        raise DataError(f"{place}: is packed with {refused}, which is not read here; use gz, bz2, xz or zip")
    most, total = max(FREE_BYTES, RATIO * path.stat().st_size), 0
    try:
        for size in _sizes(path, start):
            total += size
            if total > most:
                raise DataError(
                    f"{place}: unpacks to more than {most // 2**20:,} MiB from {path.stat().st_size:,} bytes, as "
                    "decompression bombs do and data does not; unpack it yourself if you trust it"
                )
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise DataError(f"{place}: cannot be unpacked ({error}); get it anew or repair it") from error


def _sizes(path: Path, start: bytes) -> Iterator[int]:
    """The sizes of what a file holds, piece by piece; nothing for a file that is not packed."""
    opener: Any = next((o for magic, o in _OPENERS.items() if start.startswith(magic)), None)
    if opener is not None:
        with opener(path, "rb") as file:
            while piece := file.read(_CHUNK):
                yield len(piece)
    elif start.startswith(b"PAR1"):
        yield from _columns(path)
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from (info.file_size for info in archive.infolist())  # reading stops there, whatever follows
    elif tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            yield from (member.size for member in archive)  # a sparse member is larger than the archive


def _columns(path: Path) -> Iterator[int]:
    """What a parquet file's rows take in memory: one value in its dictionary may stand in every row."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_ROWS, use_threads=False):
                yield batch.nbytes
    except pa.ArrowException as error:
        raise DataError(f"{path.name}: {str(error).splitlines()[0]}") from error


def check_image(source: Path | IO[bytes], place: str) -> None:
    """Read an image's header. Raises DataError where it is no image, or one too large to decode."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(source, formats=IMAGES) as image:
                pixels = image.width * image.height
    except Image.DecompressionBombError as error:
        raise DataError(f"{place}: {_too_large('far too many')}") from error
    except UnidentifiedImageError:
        raise DataError(f"{place}: is no image of a kind that Pillow reads; repair or remove it") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{place}: is no readable image ({error}); repair or remove it") from error
    if pixels > MOST_PIXELS:
        raise DataError(f"{place}: {_too_large(f'{pixels:,}')}")


def _too_large(pixels: str) -> str:
    return f"the image has {pixels} pixels, and at most {MOST_PIXELS:,} are decoded; make it smaller or remove it"
