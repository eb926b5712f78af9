"""Reads the pseudo-value of every test example from what may be anybody's file, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
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
    """Test examples in order, [n], and each one's pseudo-value, averaged over templates, [n]: its own score where the
    score is a mean over examples. clusters: [n], those that are not independent of each other; None where all are."""

    examples: NDArray[np.int64]
    values: NDArray[np.float64]
    clusters: NDArray[np.int64] | None


def read(path: Path, metric: str, score: float | None) -> Outcomes | None:
    """The pseudo-values whose mean a score is; None where there are none, as in files of earlier versions where the
    metric is no mean over examples.

    Raises FileNotFoundError, and ValueError saying what is wrong with the file or why the score is not theirs.
    """
    found = _columns(path)
    if not len(found["outcome"]):
        raise ValueError("holds no row")
    own = "outcome" if PSEUDO not in found.schema.names else PSEUDO
    outcome, example = found[own], found["example"]
    if outcome.null_count == len(outcome):
        return None
    if outcome.null_count or example.null_count:
        raise ValueError("has rows without an outcome or an example")
    return _averaged(found, outcome, example, metric, score)


def _averaged(found: pa.Table, outcome: Any, example: Any, metric: str, score: float | None) -> Outcomes:
    """Over templates. Raises ValueError."""
    cluster = next((found[name] for name in ("pseudo_group", "cluster") if name in found.schema.names), None)
    if cluster is not None and cluster.null_count:
        raise ValueError("has rows without a cluster")
    values = outcome.to_numpy().astype(np.float64)
    numbers = example.to_numpy()
    if not np.isfinite(values).all():
        raise ValueError("has outcomes that are no finite numbers")
    if int(numbers.min()) < 0 or int(numbers.max()) > MOST_EXAMPLE:
        raise ValueError("has example numbers that are none")
    examples, first, index, counts = np.unique(
        numbers.astype(np.int64), return_index=True, return_inverse=True, return_counts=True
    )
    if (counts != counts[0]).any():
        raise ValueError("has some examples more often than others")
    means = np.bincount(index, values) / counts
    if score is None or not agree(float(means.mean()), score):
        raise ValueError(f"gives {metric} {means.mean():.6g}, its record says {score}")
    return Outcomes(examples, means, None if cluster is None else cluster.to_numpy().astype(np.int64)[first])


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


def _columns(path: Path) -> pa.Table:
    """The columns of numbers. Raises FileNotFoundError, and ValueError before it reads what would not fit or is not of
    numbers."""
    try:
        with safe_reading.plain(path, MOST_BYTES) as file:
            found = pq.ParquetFile(file)
            _check(found)
            names = [name for name in NUMBERS if name in found.schema_arrow.names]
            return found.read(columns=names, use_threads=False)
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException, KeyError) as error:
        said = str(error).splitlines()
        raise ValueError(f"cannot be read ({said[0] if said else type(error).__name__})") from error


def _check(file: pq.ParquetFile) -> None:
    about, names = file.metadata, file.schema_arrow.names
    groups = sum(about.row_group(i).num_rows for i in range(about.num_row_groups))
    rows = max(about.num_rows, groups)
    if rows > MOST_ROWS:
        raise ValueError(f"cannot be read (its {rows:,} rows are more than {MOST_ROWS:,})")
    for name, (kind, holds) in NUMBERS.items():
        if names.count(name) == 0 and name not in ("example", "outcome"):
            continue
        if names.count(name) != 1 or not holds(file.schema_arrow.field(name).type):
            raise ValueError(f"has no column '{name}' of {kind}")


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind))


PSEUDO = "pseudo_value"
NUMBERS: dict[str, tuple[str, Callable[[pa.DataType], bool]]] = {
    "example": ("integers", pa.types.is_integer),
    "outcome": ("numbers", _is_number),
    PSEUDO: ("numbers", _is_number),
    "pseudo_group": ("integers", pa.types.is_integer),
    "cluster": ("integers", pa.types.is_integer),
}
"""Columns that are read for every interval, and what they must hold; only the first two must be there."""
