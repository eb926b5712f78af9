"""Time and energy by stage, on a monotonic clock, the device synchronised at stage borders only."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stages:
    """Seconds and joules spent in each named stage; a stage entered twice adds up.

    joules: the reading of an energy counter, None where there is none; `joules` then stays empty.
    """

    def __init__(
        self, synchronise: Callable[[], None] = lambda: None, joules: Callable[[], float | None] = lambda: None
    ) -> None:
        self.seconds: dict[str, float] = {}
        self.joules: dict[str, float] = {}
        self.begun = time.perf_counter()
        self.synchronise = synchronise
        self._counter = joules

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage; what it queued on the device is waited for."""
        self.synchronise()
        begun, drawn = time.perf_counter(), self._counter()
        try:
            yield
        finally:
            self.synchronise()
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun
            now = self._counter()
            if now is not None and drawn is not None:
                self.joules[name] = self.joules.get(name, 0.0) + now - drawn

    def total(self) -> float:
        """Seconds since this object was made."""
        return time.perf_counter() - self.begun


def latency(answer: Callable[[], object], synchronise: Callable[[], None], repeats: int = 5) -> float:
    """Median seconds of `answer()`, after one call that does not count."""
    seconds = []
    for _ in range(repeats + 1):
        synchronise()
        begun = time.perf_counter()
        answer()
        synchronise()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds[1:])
