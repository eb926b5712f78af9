"""A suite given from Python: the keys of a suite's file as a dict, data as pandas frames.

A frame becomes a file of JSON lines in the cache, named by its content, which the suite then names like any other: its
trials have the same ids wherever and whenever the same rows are given.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import DataError
from bench.store.cache import cached
from bench.suite import yaml
from bench.suite.load import from_document
from bench.suite.schema import Schemas, Suite
from bench.suite.yaml import Document

if TYPE_CHECKING:
    import pandas as pd

PLACE = Path("SUITE")
"""Stands for the suite's file in messages that say what to type."""


def load(value: Mapping[str, Any], schemas: Schemas) -> Suite:
    """Check a suite. Raises SuiteError with every problem at once, each `suite: path: what is wrong`; DataError."""
    document = Document("suite", numbered=False)
    document.value = _plain(value, (), document)
    return from_document(document, schemas, PLACE, json.dumps(document.value))


def _plain(value: Any, path: yaml.Path, document: Document) -> Any:
    """What YAML could say of a value, frames as files that hold them."""
    if path[-1:] == ("data",) and (frames := _frames(value)):
        files = {split: str(_file(frame, split)) for split, frame in frames.items()}
        return {"files": files["train"] if [*files] == ["train"] else files}
    if _is_scalar(value):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return _report(document, path, f"expected a finite number, found {value}")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Path):
        return str(value)
    if len(path) > yaml.MAX_DEPTH:
        return _report(document, path, f"nested deeper than {yaml.MAX_DEPTH} levels")
    if isinstance(value, list | tuple | range):
        return [_plain(part, (*path, number), document) for number, part in enumerate(value)]
    if isinstance(value, Mapping):
        return {_key(key, path, document): _plain(part, (*path, str(key)), document) for key, part in value.items()}
    hint = "; a frame belongs under a task's data" if _is_frame(value) else ""
    return _report(
        document, path, f"expected a text, a number, a list or a mapping, found {type(value).__name__}{hint}"
    )


def _report(document: Document, path: yaml.Path, problem: str) -> None:
    document.report(path, problem)
    document.unread.add(path)


def _key(key: Any, path: yaml.Path, document: Document) -> str:
    if not isinstance(key, str):
        document.report(path, f"a key must be a text, found {key!r}")
    return str(key)


def _is_scalar(value: Any) -> bool:
    """Whether a value is a number of numpy's."""
    return type(value).__module__ == "numpy" and getattr(value, "ndim", 1) == 0


def _is_frame(value: Any) -> bool:
    """Without importing pandas: where nobody has, there is no frame."""
    return type(value).__name__ == "DataFrame" and hasattr(value, "to_dict")


def _frames(value: Any) -> dict[str, pd.DataFrame]:
    """A task's frames by split: one alone is `train`. Empty where its data is something else."""
    if isinstance(value, Mapping) and [*value] == ["frame"]:
        value = value["frame"]
    if _is_frame(value):
        return {"train": value}
    return dict(value) if isinstance(value, Mapping) and value and all(map(_is_frame, value.values())) else {}


def _file(frame: pd.DataFrame, split: str) -> Path:
    """The file that holds a frame's rows. Raises DataError for what JSON cannot say."""
    place, names = f"frame '{split}'", list(frame.columns)
    odd = next((name for name in names if not isinstance(name, str) or names.count(name) > 1), None)
    if odd is not None:
        raise DataError(f"{place}: column {odd!r}: every column needs a text for its name, each once")
    if not len(frame):
        raise DataError(f"{place}: holds no rows")
    lines = []
    for row, found in enumerate(frame.to_dict("records")):
        try:
            lines.append(json.dumps({name: _cell(v) for name, v in found.items()}, ensure_ascii=False, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise DataError(
                f"{place}, row {row}: {error}; give texts, numbers, truth values, lists or mappings of these"
            ) from error
    content = "\n".join(lines).encode(errors="replace")
    key = {"content": hashlib.sha256(content).hexdigest()}
    return cached("frames", key, lambda folder: _write(folder, content)) / "rows.jsonl"


def _write(folder: Path, content: bytes) -> None:
    (folder / "rows.jsonl").write_bytes(content)


def _cell(value: Any) -> Any:
    """A value of a frame as JSON has it; what is missing is nothing."""
    if type(value).__module__ == "numpy":
        value = value.tolist()
    if value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, list | tuple):
        return [_cell(part) for part in value]
    return {key: _cell(part) for key, part in value.items()} if isinstance(value, dict) else value
