"""One executor for the commands of many tests, since starting one takes seconds."""

from __future__ import annotations

import pytest

from bench.execution.executor import Executor


def share(executor: Executor, patch: pytest.MonkeyPatch) -> None:
    """Have commands use an executor that has been started, and leave it as it is."""
    patch.setattr(executor, "start", lambda: None)
    patch.setattr(executor, "close", lambda: None)
    patch.setattr("bench.execution.executor.new", lambda name: executor)
