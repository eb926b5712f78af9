"""Reads the outcome of every test example from what may be anybody's file, in bounded memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bench.store import safe_reading

MOST_BYTES = 1 << 32
MOST_ROWS = 20_000_000
"""Rows of one file; a few kilobytes of parquet can stand for any number of equal ones."""
MOST_EXAMPLE = 10**9
AGREE = 1e-3
"""Outcomes whose mean is farther than this from the recorded score, or than this part of it where it is above 1, are
not that score's outcomes."""


class Outcomes(NamedTuple):
    """Test examples in order, [n], and each one's outcome, averaged over templates, [n]."""

    examples: NDArray[np.int64]
    values: NDArray[np.float64]


def read(path: Path, metric: str, score: float | None) -> Outcomes | None:
    """The outcomes whose mean a score is; None where the metric is no mean over examples.

    Raises FileNotFoundError, and ValueError saying what is wrong with the file or why the score is not theirs.
    """
    try:
        with safe_reading.plain(path, MOST_BYTES) as file:
            table = _table(pq.ParquetFile(file))
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException, KeyError) as error:
        said = str(error).splitlines()
        raise ValueError(f"cannot be read ({said[0] if said else type(error).__name__})") from error
    outcome, example = table["outcome"], table["example"]
    if not len(outcome):
        raise ValueError("holds no row")
    if outcome.null_count == len(outcome):
        return None
    if outcome.null_count or example.null_count:
        raise ValueError("has rows without an outcome or an example")
    found = outcome.to_numpy().astype(np.float64)
    numbers = example.to_numpy()
    if not np.isfinite(found).all():
        raise ValueError("has outcomes that are no finite numbers")
    if int(numbers.min()) < 0 or int(numbers.max()) > MOST_EXAMPLE:
        raise ValueError("has example numbers that are none")
    examples, index, counts = np.unique(numbers.astype(np.int64), return_inverse=True, return_counts=True)
    if (counts != counts[0]).any():
        raise ValueError("has some examples more often than others")
    values = np.bincount(index, found) / counts
    if score is None or not agree(float(values.mean()), score):
        raise ValueError(f"gives {metric} {values.mean():.6g}, its record says {score}")
    return Outcomes(examples, values)


def table(path: Path) -> pa.Table:
    """Everything that a file of predictions holds. Raises FileNotFoundError, and ValueError saying what is wrong."""
    try:
        with safe_reading.plain(path, MOST_BYTES) as file:
            found = pq.ParquetFile(file)
            _check(found)
            return found.read(use_threads=False)
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException, KeyError) as error:
        said = str(error).splitlines()
        raise ValueError(f"cannot be read ({said[0] if said else type(error).__name__})") from error


def agree(mean: float, score: float) -> bool:
    """Whether outcomes of this mean are the score's."""
    return abs(mean - score) < AGREE * max(1.0, abs(score))


def _table(file: pq.ParquetFile) -> Any:
    """The two columns. Raises ValueError before it reads what would not fit or is not of numbers."""
    _check(file)
    return file.read(columns=["example", "outcome"], use_threads=False)


def _check(file: pq.ParquetFile) -> None:
    about, names = file.metadata, file.schema_arrow.names
    groups = sum(about.row_group(i).num_rows for i in range(about.num_row_groups))
    rows = max(about.num_rows, groups)
    if rows > MOST_ROWS:
        raise ValueError(f"cannot be read (its {rows:,} rows are more than {MOST_ROWS:,})")
    for name, kind, holds in (("example", "integers", pa.types.is_integer), ("outcome", "numbers", _is_number)):
        if names.count(name) != 1 or not holds(file.schema_arrow.field(name).type):
            raise ValueError(f"has no column '{name}' of {kind}")


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind))
