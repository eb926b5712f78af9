"""Rows of local files: csv, tsv, jsonl, json and parquet, packed or not, in whatever dialect they were saved.

What a file says of itself is used (a byte order mark, how its first lines are divided); what it does not say is never
guessed, but the error names it.
"""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import itertools
import json
import lzma
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.data.decompression_limits import check_file
from bench.errors import DataError

FORMATS = (".csv", ".tsv", ".jsonl", ".json", ".parquet")
PACKED = (".gz", ".bz2", ".xz")
DELIMITERS = (",", ";", "\t", "|")
GUESSES = ("cp1252", "gb18030")
"""What text that is no UTF-8 mostly is: Windows in the West, and in China."""
_UNPACK = {b"\x1f\x8b": gzip.decompress, b"BZh": bz2.decompress, b"\xfd7zXZ": lzma.decompress}
_MARKS = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
          codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}  # fmt: skip
_PIECE = 2**24
_SHOWN = 3


@dataclass(frozen=True)
class Dialect:
    """How files are read. delimiter, encoding: None for what the file itself says; skip_bad_rows: whether rows that
    cannot be read are left out."""

    delimiter: str | None = None
    encoding: str | None = None
    skip_bad_rows: bool = False


def suffix(path: Path, *, packed: bool = False) -> str:
    """The format's name, whatever it is packed with: `.csv` of `a.csv.gz`; that too where `packed`."""
    outer = path.suffix.lower() if path.suffix.lower() in PACKED else ""
    inner = (path.with_suffix("") if outer else path).suffix.lower()
    return inner + outer if packed else inner


def read(path: Path, dialect: Dialect) -> tuple[Any, list[str]]:
    """A pyarrow table of a whole file, with one type a column, and what is to be said of it. Raises DataError."""
    import pyarrow as pa

    try:
        size = path.stat().st_size
        _check_format(path)
        table, remarks = _table(path, dialect) if size else (pa.table({}), [])
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}; check `files` in the suite") from error
    except pa.ArrowException as error:
        raise DataError(f"{path}: {str(error).splitlines()[0]}") from error
    if not table.num_rows or not table.num_columns:
        raise DataError(f"{path}: holds no rows")
    return table, remarks


def lines(path: Path, dialect: Dialect, rows: Iterable[int]) -> dict[int, int]:
    """The line of the file at which each of these rows begins; nothing for a format without lines."""
    kind, wanted = suffix(path), set(rows)
    if kind not in (".csv", ".tsv", ".jsonl"):
        return {}
    text = _text(path, dialect).decode()
    if kind == ".jsonl":
        good = ((line, True) for line, _ in _json_rows(path, text, dialect.skip_bad_rows, []))
    else:
        divided = _divided(text, _delimiter(text, dialect, kind))
        width = next(divided, (0, 0))[1]
        good = ((line, fields == width) for line, fields in divided)
    found = enumerate(line for line, whole in good if whole)
    return {row: line for row, line in found if row in wanted}


def _check_format(path: Path) -> None:
    """Raises DataError for a format that is not read."""
    kind = suffix(path)
    if kind in FORMATS and not (kind == ".parquet" and path.suffix.lower() in PACKED):
        return
    way = "save it as CSV UTF-8" if kind in (".xlsx", ".xls", ".ods") else f"use one of {', '.join(FORMATS)}"
    raise DataError(f"{path}: '{path.suffix}' is no format that can be read; {way}")


def _table(path: Path, dialect: Dialect) -> tuple[Any, list[str]]:
    check_file(path, str(path))
    kind = suffix(path)
    if kind == ".parquet":
        return _parquet(path), []
    raw = _text(path, dialect)
    return (_json if kind in (".jsonl", ".json") else _delimited)(path, raw, dialect)


def _parquet(path: Path) -> Any:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        _check_names(path, file.schema_arrow.names)
        return file.read()


def _check_names(path: Path, names: Sequence[str]) -> None:
    """Raises DataError where two columns have one name."""
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{path}: {names.count(twice)} columns are called '{twice}'; rename all but one")


def _text(path: Path, dialect: Dialect) -> bytes:
    """The file's text as UTF-8, unpacked. Raises DataError naming the line and what its encoding may be."""
    raw = path.read_bytes()
    unpack: Any = next((unpack for magic, unpack in _UNPACK.items() if raw.startswith(magic)), None)
    raw = unpack(raw) if unpack else raw
    if raw.startswith(b"PK\x03\x04"):
        raise DataError(f"{path}: is a zip archive or a spreadsheet, whatever its name says; save it as CSV UTF-8")
    encoding = dialect.encoding or next((name for mark, name in _MARKS.items() if raw.startswith(mark)), None)
    if encoding is None or codecs.lookup(encoding).name == "utf-8":
        at = 0 if _is_wide(raw) else _bad_byte(raw)
        if at is not None:
            raise DataError(f"{path}:{_line(raw, at)}: {_no_utf8(raw, at)}")
        return raw.removeprefix(codecs.BOM_UTF8)
    try:
        return raw.decode(encoding).removeprefix("\ufeff").encode()
    except UnicodeError as error:
        at = getattr(error, "start", 0)
        raise DataError(
            f"{path}:{_line(raw, at)}: cannot be read as {encoding} ({getattr(error, 'reason', error)}); name another "
            "`encoding`, or save the file as UTF-8"
        ) from error


def _bad_byte(raw: bytes) -> int | None:
    """Where the first byte stands that is no UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for at in range(0, len(raw), _PIECE):
        held = len(decoder.getstate()[0])
        try:
            decoder.decode(raw[at : at + _PIECE], final=at + _PIECE >= len(raw))
        except UnicodeDecodeError as error:
            return at - held + error.start
    return None


def _is_wide(raw: bytes) -> bool:
    """Whether every letter takes two bytes, most of them a NUL and one of ASCII."""
    return raw[:1000].count(0) > len(raw[:1000]) // 4


def _line(raw: bytes, at: int) -> int:
    return raw.count(b"\n", 0, at) + 1


def _no_utf8(raw: bytes, at: int) -> str:
    if _is_wide(raw):
        return f"is no UTF-8; it looks like `encoding: utf-16-{'be' if raw[:1] == bytes(1) else 'le'}`"
    around = raw[max(raw.rfind(b"\n", 0, at) + 1, at - 12) : at + 8].split(b"\n")[0]
    read_as = [f"`encoding: {name}` reads {around.decode(name, 'ignore').strip()!r}" for name in GUESSES]
    return f"byte 0x{raw[at]:02x} is no UTF-8; save the file as UTF-8, or say what it is: {', '.join(read_as)}"


def _delimited(path: Path, raw: bytes, dialect: Dialect) -> tuple[Any, list[str]]:
    import pyarrow.csv
    import pyarrow.types

    delimiter = _delimiter(raw[:_PIECE].decode("utf-8", "ignore"), dialect, suffix(path))
    bad: list[Any] = []

    def keep(row: Any) -> str:
        bad.append(row)
        return "skip"

    table = pyarrow.csv.read_csv(
        io.BytesIO(raw),  # one block: types are inferred from every row
        read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=min(len(raw) + 1, 2**31 - 1)),
        parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=keep),
    )
    if table.column_names[:1] == [""] and table.num_rows and table[0].equals(_counted(table)):
        table = table.remove_column(0)  # what pandas writes unless told otherwise
    names = table.column_names
    _check_names(path, [name for name in names if name.strip()])
    odd = next((number for number, name in enumerate(names) if not name.strip() or _is_number(name)), None)
    if odd is not None:
        raise DataError(
            f"{path}: its first line must name the columns, each once; '{names[odd]}', of column {odd + 1}, is no such "
            "name"
        )
    if bad and not dialect.skip_bad_rows:
        raise DataError(_bad_rows(path, raw, bad, delimiter, table.num_rows))
    remarks = [f"{path.name}: {_count(len(bad), 'row')} that could not be read left out"] if bad else []
    if raw.count(b'"') % 2:
        ends = [str(value) for value in table.slice(table.num_rows - 1).to_pylist()[0].values()] if len(table) else []
        if any("\n" in value for value in ends):
            remarks.append(f"{path.name}: a quote is opened and not closed, and the last row may hold others")
    elif swallowed := _swallowed(table, delimiter):
        remarks.append(
            f"{path.name}: {_count(swallowed, 'text')} of several lines may hold other rows; is a quote opened there "
            "that is not meant as one? Double it, and put the text in quotes"
        )
    return table, remarks


def _swallowed(table: Any, delimiter: str) -> int:
    """How many texts seem to hold the rows that follow them, up to where another row's quote closed theirs: what stands
    where the next column would be is one of that column's values."""
    import pyarrow.compute
    import pyarrow.types

    last, count = table.num_columns - 1, 0
    for number, column in enumerate(table.columns if last else ()):
        if not pyarrow.types.is_string(column.type):
            continue
        long = column.filter(pyarrow.compute.match_substring(column, "\n")).to_pylist()
        known = {str(value) for value in table[last if number < last else 0].unique().to_pylist()} if long else set()
        for text in long:
            first, *rows = [line.rstrip("\r").split(delimiter) for line in text.split("\n")]
            if number < last:
                count += len(first) == last - number + 1 and first[-1] in known
            else:
                count += any(len(row) == last + 1 and row[0] in known for row in rows)
    return count


def _counted(table: Any) -> Any:
    """0, 1, 2, … as a column of the table's length."""
    import pyarrow as pa

    return pa.chunked_array([pa.array(range(table.num_rows), pa.int64())])


def _bad_rows(path: Path, raw: bytes, bad: list[Any], delimiter: str, good: int) -> str:
    """What is said of rows that have more or fewer fields than the first line names."""
    first = bad[0]
    found = [line for line, fields in _divided(raw.decode(), delimiter) if fields != first.expected_columns]
    at = f"{path}:{found[0]}" if len(found) == len(bad) else f"{path}, row {first.number}"
    more = f", and {_count(len(bad) - 1, 'row')} more like it" if len(bad) > 1 else ""
    if len(found) == len(bad) > 1:
        more += f" (lines {listed(found[1:])})"
    ways = [f'put texts that hold {delimiter!r} in double quotes ("), or set `skip_bad_rows: true` under data']
    if first.text.count('"') % 2:
        ways.insert(0, "close the quote that is opened there")
    if len(bad) > good:
        ways.append("if the columns are divided by something else, name it as `delimiter`")
    return (
        f"{at}: expected {first.expected_columns} fields, as the first line has them, and found "
        f"{first.actual_columns}{more}; {'; '.join(ways)}"
    )


def _delimiter(text: str, dialect: Dialect, kind: str) -> str:
    """What divides columns: as asked for, else what the format's name says, else what the first two rows agree on."""
    usual = "\t" if kind == ".tsv" else ","
    if dialect.delimiter is not None:
        return dialect.delimiter
    for delimiter in (usual, *DELIMITERS):
        head = [fields for _, fields in itertools.islice(_divided(text, delimiter), 2)]
        if head and head[0] > 1 and (delimiter == usual or len(set(head)) == 1):
            return delimiter
    return usual


def _divided(text: str, delimiter: str) -> Iterator[tuple[int, int]]:
    """Of every row, the names of the columns first: (its first line, its number of fields)."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    csv.field_size_limit(2**31 - 1)
    begins = 1
    for row in reader:
        if row:
            yield begins, len(row)
        begins = reader.line_num + 1


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _json(path: Path, raw: bytes, dialect: Dialect) -> tuple[Any, list[str]]:
    """Each row is checked to be one object: Arrow does not say where one is not."""
    import pyarrow.json

    text, bad = raw.decode(), list[int]()
    if suffix(path) == ".json" and text.lstrip().startswith("["):
        rows = _parsed(text, f"{path}")
        text = "\n".join(json.dumps(row) for row in rows)
    elif suffix(path) == ".json" and text.strip().startswith("{\n"):
        raise DataError(f"{path}: is one object, not a list of rows: [{{…}}, {{…}}]; save the list that is in it")
    kept = "\n".join(line for _, line in _json_rows(path, text, dialect.skip_bad_rows, bad)).encode()
    if not kept:
        raise DataError(f"{path}: holds no rows")
    options = pyarrow.json.ReadOptions(use_threads=False, block_size=min(len(kept) + 1, 2**31 - 1))
    remarks = [f"{path.name}: {_count(len(bad), 'row')} that could not be read left out"] if bad else []
    try:
        return pyarrow.json.read_json(io.BytesIO(kept), options), remarks
    except pyarrow.ArrowInvalid as error:
        said = str(error).splitlines()[0]
        raise DataError(f"{path}: {said}; give every row the same names, and every column one kind of value") from error


def _json_rows(path: Path, text: str, skip: bool, bad: list[int]) -> Iterator[tuple[int, str]]:
    """The lines that hold an object, and their numbers; those that hold none go to `bad`, or raise DataError."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            if not isinstance(_parsed(line, f"{path}:{number}"), dict):
                raise DataError(f'{path}:{number}: every row must be an object like {{"text": …, "label": …}}')
        except DataError:
            if not skip:
                raise
            bad.append(number)
            continue
        yield number, line


def _parsed(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError as error:
        raise DataError(f"{place}: is nested too deeply to be read; a row is an object of texts and numbers") from error
    except ValueError as error:
        raise DataError(f"{place}: is no valid JSON: {error}") from error


def listed(numbers: Sequence[int]) -> str:
    """The first few of them."""
    return ", ".join(map(str, numbers[:_SHOWN])) + (", …" if len(numbers) > _SHOWN else "")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number > 1)}"
