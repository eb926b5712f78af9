"""Time and energy by stage, on a monotonic clock, the device synchronised at stage borders only."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager


class Stages:
    """Seconds and joules spent in each named stage; a stage entered twice adds up.

    joules: the reading of an energy counter, None where there is none: a stage of which one reading is lacking has no
    joules.
    """

    def __init__(
        self, synchronise: Callable[[], None] = lambda: None, joules: Callable[[], float | None] = lambda: None
    ) -> None:
        self.seconds: dict[str, float] = {}
        self.joules: dict[str, float] = {}
        self.begun = time.perf_counter()
        self.synchronise = synchronise
        self._counter = joules
        self._unread: set[str] = set()
        self._open: dict[str, tuple[float, float | None]] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage; what it queued on the device is waited for."""
        self.synchronise()
        self._open[name] = time.perf_counter(), self._counter()
        try:
            yield
        finally:
            self.synchronise()
            self._add(name, *self._since(name))
            del self._open[name]

    def so_far(self, names: Iterable[str]) -> list[tuple[str, float, float | None]]:
        """(stage, seconds, joules) of each named stage that has begun, up to now where it still runs."""
        known = [(name, self.seconds[name], self.joules.get(name)) for name in names if name in self.seconds]
        return known + [(name, *self._since(name)) for name in names if name in self._open]

    def carry(self, found: Iterable[tuple[str, float, float | None]], within: str) -> None:
        """Add what an earlier attempt had spent (its `so_far`), all of it within one stage, to stages and total."""
        for name, seconds, joules in found:
            self._add(name, seconds, joules)
            self.begun -= seconds if name == within else 0.0

    def _since(self, name: str) -> tuple[float, float | None]:
        begun, drawn = self._open[name]
        now = self._counter()
        return time.perf_counter() - begun, None if now is None or drawn is None else now - drawn

    def _add(self, name: str, seconds: float, joules: float | None) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds
        if joules is None:
            self._unread.add(name)
            self.joules.pop(name, None)  # a part of a stage's energy would pass for all of it
        elif name not in self._unread:
            self.joules[name] = self.joules.get(name, 0.0) + joules

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
