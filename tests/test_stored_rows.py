"""Rows in a file: what is read is what was written, and does not count as the process's memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.modeling.encoding.stored_rows import StoredRows, write_rows

MEASURE = """\
import sys
import numpy as np
from pathlib import Path
from bench.modeling.encoding.stored_rows import StoredRows

def peak():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) // 1024

rows = StoredRows(Path(sys.argv[1])) if sys.argv[2] == "stored" else np.load(sys.argv[1], mmap_mode="r")
before = peak()
total = sum(int(rows[np.arange(at, at + 10)].sum()) for at in range(0, len(rows), 10))
print(peak() - before, total)
"""


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_any_rows_are_read_as_they_were_written(dtype: type, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (10, 3, 4, 5)).astype(dtype)
    write_rows(tmp_path / "rows.npy", 10, (values[at : at + 4] for at in range(0, 10, 4)))
    assert (np.load(tmp_path / "rows.npy") == values).all()  # numpy's own format
    found = StoredRows(tmp_path / "rows.npy")
    assert (len(found), found.shape, found.dtype) == (10, (10, 3, 4, 5), dtype)
    for rows in (3, -1, [7, 2, 2], np.array([], dtype=int), slice(2, 9, 3), np.array([[0, 1], [9, 8]])):
        assert (found[rows] == values[rows]).all()
        assert found[rows].shape == values[rows].shape
    with pytest.raises(IndexError):
        found[10]


def test_a_file_that_is_cut_short_is_said(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.npy", 4, [np.ones((4, 100), dtype=np.uint8)])
    content = (tmp_path / "rows.npy").read_bytes()
    (tmp_path / "rows.npy").write_bytes(content[:-150])
    found = StoredRows(tmp_path / "rows.npy")
    assert found[1].sum() == 100
    with pytest.raises(OSError, match="is cut short at row 3"):
        found[[0, 3]]


def test_what_is_read_is_not_the_process_own_memory(tmp_path: Path) -> None:
    path = tmp_path / "rows.npy"
    write_rows(path, 400, (np.full((40, 150_000), 1, dtype=np.uint8) for _ in range(10)))
    used = {}
    for how in ("stored", "mapped"):
        done = subprocess.run([sys.executable, "-c", MEASURE, path, how], check=True, capture_output=True, text=True)
        used[how], total = map(int, done.stdout.split())
        assert total == 400 * 150_000
    assert used["stored"] < 15 < 50 < used["mapped"]  # MB, of 60
