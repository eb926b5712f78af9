"""The soak, shortened: `make soak` is the whole of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from rows import Row
from soak import ready


@pytest.mark.fault(Row.RUNNER)
@pytest.mark.fault(Row.CACHE)
def test_killed_sweeps_over_a_damaged_cache_score_as_undisturbed(tmp_path: Path) -> None:
    soak = ready(tmp_path, seed=1)
    expected = soak.undisturbed()
    assert len(expected) >= 6
    for sweep in range(2):
        soak.sweep(f"s{sweep}", 1 + sweep, expected)
    assert soak.killed
