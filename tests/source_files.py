"""The source files of bench, for tests that read them."""

from __future__ import annotations

from pathlib import Path

import bench

ROOT = Path(bench.__file__).parent


def modules() -> dict[str, Path]:
    """Dotted name below `bench` → file."""
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found
