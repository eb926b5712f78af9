"""Time by stage on a monotonic clock, the device synchronised at stage borders only."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stages:
    """Seconds spent in each named stage; a stage entered twice adds up."""

    def __init__(self, synchronise: Callable[[], None] = lambda: None) -> None:
        self.seconds: dict[str, float] = {}
        self.begun = time.perf_counter()
        self.synchronise = synchronise

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage; what it queued on the device is waited for."""
        self.synchronise()
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.synchronise()
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun

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
