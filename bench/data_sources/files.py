"""Local csv, tsv, jsonl, json or parquet: `{files: data.csv}` or `{files: {train: a.csv, test: b.jsonl}}`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, field_validator, model_serializer

from bench.contracts import DataSource
from bench.data import row_files
from bench.data.row_files import Dialect
from bench.errors import DataError
from bench.store.cache import cached
from bench.suite.parameters import SourceParameters, distinct_folders

if TYPE_CHECKING:
    import datasets


def _encoding(name: str) -> str:
    try:
        "a".encode(name)
    except (LookupError, ValueError):
        raise ValueError(f"'{name}' is no encoding of text; e.g. utf-8, utf-16, cp1252, gb18030") from None
    return name


class FilesParameters(SourceParameters):
    """One file, which becomes the split `train`, or one file for each split; and how they are read."""

    files: Path | Annotated[dict[str, Path], Field(min_length=1)] = Field(
        description="one file, or {split: file}: csv, tsv, jsonl, json or parquet"
    )
    delimiter: Annotated[str, Field(pattern=r"^[\t !#-~]$")] | None = Field(
        None, description="of csv and tsv: what divides columns; null: what the file's first lines are divided by"
    )
    encoding: Annotated[str, AfterValidator(_encoding)] | None = Field(
        None, description="of text; null: what its byte order mark says, else UTF-8"
    )
    skip_bad_rows: bool = Field(False, description="leave out rows that cannot be read; a remark counts them")

    @field_validator("files")
    @classmethod
    def _splits(cls, files: Path | dict[str, Path]) -> Path | dict[str, Path]:
        distinct_folders(files if isinstance(files, dict) else ())
        return files

    @model_serializer(mode="wrap")
    def _as_before(self, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """What is not set is not said: ids of trials are those of before there was such a setting."""
        return {name: value for name, value in handler(self).items() if value or name == "files"}

    @property
    def dialect(self) -> Dialect:
        """How the files are read."""
        return Dialect(self.delimiter, self.encoding, self.skip_bad_rows)


class FileData(DataSource[FilesParameters]):
    """Local files of rows, known by a hash of them."""

    VERSION = 1
    Parameters = FilesParameters

    def lock(self, parameters: FilesParameters) -> dict[str, Any]:
        """Read every file once and return a hash of split names, formats and bytes, and remarks. Raises DataError."""
        remarks = []
        for path in _splits(parameters).values():
            remarks += _read(path, parameters.dialect)[1]
        return {"fingerprint": self.fingerprint(parameters), "remarks": list(dict.fromkeys(remarks))}

    def fingerprint(self, parameters: FilesParameters) -> str:
        """A hash of split names, formats and bytes. Raises DataError."""
        digests = {}
        for split, path in sorted(_splits(parameters).items()):
            try:
                if path.exists() and not path.is_file():
                    raise DataError(f"{path}: is no file, but a folder, pipe or device; check `files` in the suite")
                with path.open("rb") as file:
                    content = hashlib.file_digest(file, "sha256").hexdigest()
                digests[split] = [row_files.suffix(path, packed=True), content]
            except OSError as error:
                raise DataError(f"{path}: {error.strerror}; check `files` in the suite") from error
        return hashlib.sha256(json.dumps(digests).encode()).hexdigest()

    def fetch(self, parameters: FilesParameters, fingerprint: str) -> datasets.DatasetDict:
        """Return every split, memory-mapped. Raises DataError where a file is not what was locked."""
        import datasets

        if self.fingerprint(parameters) != fingerprint:
            places = ", ".join(map(str, _splits(parameters).values()))
            raise DataError(f"{places}: changed since it was locked; `bench lock SUITE --update` takes it as it is now")

        def convert(folder: Path) -> None:
            splits = {split: _read(path, parameters.dialect)[0] for split, path in _splits(parameters).items()}
            datasets.DatasetDict(splits).save_to_disk(folder)

        read_as = {name: value for name, value in parameters.model_dump(mode="json").items() if name != "files"}
        kept = cached("data", {"files": fingerprint, "version": self.VERSION, **read_as}, convert)
        found = datasets.load_from_disk(kept)
        assert isinstance(found, datasets.DatasetDict)
        return found

    def places(self, parameters: FilesParameters, split: str, rows: Sequence[int]) -> str | None:
        """Where in its file rows of a split stand, as `data.csv:3, 5`; None for a format without lines."""
        path = _splits(parameters).get(split)
        found = row_files.lines(path, parameters.dialect, rows) if path else {}
        return f"{path}:{', '.join(str(found[row]) for row in rows)}" if len(found) == len(rows) > 0 else None


def _splits(parameters: FilesParameters) -> dict[str, Path]:
    return parameters.files if isinstance(parameters.files, dict) else {"train": parameters.files}


def _read(path: Path, dialect: Dialect) -> tuple[datasets.Dataset, list[str]]:
    import datasets

    table, remarks = row_files.read(path, dialect)
    try:
        return datasets.Dataset(table), remarks
    except Exception as error:  # it believes what a file says of itself
        if b"huggingface" in (table.schema.metadata or {}):
            raise DataError(
                f"{path}: what it says of its columns (its metadata `huggingface`) is damaged: {_first_line(error)}; "
                "write it anew, or without (in pyarrow: table.replace_schema_metadata(None))"
            ) from error
        raise DataError(f"{path}: its columns are of a kind that is not read here: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
