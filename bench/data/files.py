"""Local csv, tsv, jsonl, json or parquet: `{files: data.csv}` or `{files: {train: a.csv, test: b.jsonl}}`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, field_validator

from bench.errors import DataError
from bench.expansion import check_file
from bench.store.cache import cached
from bench.suite.parameters import Strict, distinct_folders

if TYPE_CHECKING:
    import datasets

VERSION = 1
FORMATS = (".csv", ".tsv", ".jsonl", ".json", ".parquet")


class Parameters(Strict):
    """One file, which becomes the split `train`, or one file for each split."""

    files: Path | Annotated[dict[str, Path], Field(min_length=1)]

    @field_validator("files")
    @classmethod
    def _splits(cls, files: Path | dict[str, Path]) -> Path | dict[str, Path]:
        distinct_folders(files if isinstance(files, dict) else ())
        return files


def lock(parameters: Parameters) -> dict[str, str]:
    """Read every file once and return a hash of split names, formats and bytes. Raises DataError."""
    for path in _splits(parameters).values():
        _read(path)
    return {"fingerprint": fingerprint(parameters)}


def fingerprint(parameters: Parameters) -> str:
    """A hash of split names, formats and bytes. Raises DataError."""
    digests = {}
    for split, path in sorted(_splits(parameters).items()):
        try:
            with path.open("rb") as file:
                digests[split] = [path.suffix.lower(), hashlib.file_digest(file, "sha256").hexdigest()]
        except OSError as error:
            raise DataError(f"{path}: {error.strerror}; check `files` in the suite") from error
    return hashlib.sha256(json.dumps(digests).encode()).hexdigest()


def fetch(parameters: Parameters, locked: str) -> datasets.DatasetDict:
    """Return every split, memory-mapped. Raises DataError where a file is not what was locked."""
    import datasets

    if fingerprint(parameters) != locked:
        places = ", ".join(map(str, _splits(parameters).values()))
        raise DataError(f"{places}: changed since it was locked; `bench lock SUITE --update` takes it as it is now")

    def convert(folder: Path) -> None:
        splits = {split: datasets.Dataset(_read(path)) for split, path in _splits(parameters).items()}
        datasets.DatasetDict(splits).save_to_disk(folder)

    found = datasets.load_from_disk(cached("data", {"files": locked, "version": VERSION}, convert))
    assert isinstance(found, datasets.DatasetDict)
    return found


def _splits(parameters: Parameters) -> dict[str, Path]:
    return parameters.files if isinstance(parameters.files, dict) else {"train": parameters.files}


def _read(path: Path) -> Any:
    """A pyarrow table of a whole file, with one type a column."""
    import pyarrow as pa

    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise DataError(f"{path}: '{suffix}' is no format that can be read; use one of {', '.join(FORMATS)}")
    try:
        table = _table(path, suffix) if path.stat().st_size else pa.table({})
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}; check `files` in the suite") from error
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {str(error).splitlines()[0]}") from error
    if not table.num_rows or not table.num_columns:
        raise DataError(f"{path}: holds no rows")
    return table


def _table(path: Path, suffix: str) -> Any:
    import pyarrow.csv
    import pyarrow.json
    import pyarrow.parquet

    check_file(path, str(path))
    if suffix == ".parquet":
        return pyarrow.parquet.read_table(path)
    size = min(path.stat().st_size + 1, 2**31 - 1)  # one block: types are inferred from every row
    if suffix in (".jsonl", ".json"):
        return pyarrow.json.read_json(
            _lines(path, suffix), pyarrow.json.ReadOptions(use_threads=False, block_size=size)
        )
    table = pyarrow.csv.read_csv(
        path,
        read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=size),
        parse_options=pyarrow.csv.ParseOptions(delimiter="\t" if suffix == ".tsv" else ",", newlines_in_values=True),
    )
    names = table.column_names
    odd = [name for name in names if not name.strip() or names.count(name) > 1 or _is_number(name)]
    if odd:
        raise DataError(f"{path}: its first line must name the columns, each once; '{odd[0]}' is no such name")
    for name, kind in zip(names, table.schema.types, strict=True):
        if pyarrow.types.is_binary(kind):
            raise DataError(f"{path}: column '{name}' is no UTF-8 text; save the file as UTF-8")
    return table


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _lines(path: Path, suffix: str) -> Any:
    """The file's objects as JSON lines, each checked to be one object: Arrow does not say where one is not."""
    import io

    text = path.read_text(encoding="utf-8-sig")
    if suffix == ".json" and text.lstrip().startswith("["):
        rows = _parsed(text, f"{path}")
        text = "\n".join(json.dumps(row) for row in rows)
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not isinstance(_parsed(line, f"{path}:{number}"), dict):
            raise DataError(f'{path}:{number}: every row must be an object like {{"text": …, "label": …}}')
    return io.BytesIO(text.encode())


def _parsed(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise DataError(f"{place}: is no valid JSON: {error}") from error
