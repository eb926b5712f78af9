"""A record that a kill cut short: which trial it was of, for its artifacts are written before it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from bench.store import safe_reading

_ATTEMPT = re.compile(rb'\{"attempt":"([A-Za-z0-9_-]+)"')
"""How a line begins: its keys are in order."""


def trial(folder: Path, path: Path, line: bytes) -> str | None:
    """The trial that the last line of a records file was of. None where the line has an end, and so was not cut short,
    or nothing tells. Raises OSError."""
    with safe_reading.plain(path, safe_reading.MOST_RECORDS) as file:
        file.seek(-1, os.SEEK_END)
        whole = file.read() == b"\n"
    found = None if whole else _ATTEMPT.match(line)
    if found is None:
        return None
    return next((one.parent.name for one in (folder / "artifacts").glob(f"*/{found[1].decode()}")), None)
