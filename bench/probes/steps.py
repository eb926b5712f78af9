"""Time of each training step: device events where there is a device, the monotonic clock elsewhere."""

from __future__ import annotations

import statistics
import time
from typing import Any

WARMUP = 3
"""First steps left out of every statistic: they build kernels, caches and optimiser state."""


class StepTimes:
    """Marks where steps begin and end without synchronising; the differences are read after the last one."""

    def __init__(self, cuda: bool) -> None:
        self._cuda = cuda
        self._begun: list[Any] = []
        self._ended: list[Any] = []
        self.own_seconds = 0.0

    def begin(self) -> None:
        """A step begins."""
        self._begun.append(self._mark())

    def end(self) -> None:
        """The step has ended, for the host; the device comes there later."""
        self._ended.append(self._mark())

    def seconds(self) -> list[float]:
        """Seconds of every step; on a device call it after synchronising."""
        pairs = zip(self._begun, self._ended, strict=True)
        if self._cuda:
            return [begun.elapsed_time(ended) / 1000 for begun, ended in pairs]
        return [ended - begun for begun, ended in pairs]

    def total(self) -> float:
        """Seconds of all steps, the first ones taken at the median of the others: they carry the FLOP count and what
        is built once."""
        seconds = self.seconds()
        warm = self._warmup()
        return sum(seconds[warm:]) + warm * statistics.median(seconds[warm:]) if seconds else 0.0

    def summary(self) -> dict[str, float]:
        """median and p95 of a step in seconds, and how many first steps are left out; empty without steps."""
        warm = self._warmup()
        kept = sorted(self.seconds()[warm:])
        if not kept:
            return {}
        late = kept[min(len(kept) - 1, int(0.95 * len(kept)))]
        return {"median": statistics.median(kept), "p95": late, "warmup": warm}

    def _warmup(self) -> int:
        return max(0, min(WARMUP, len(self._ended) - 1))

    def _mark(self) -> Any:
        begun = time.perf_counter()
        mark: Any = begun
        if self._cuda:
            import torch

            mark = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            mark.record()
        self.own_seconds += time.perf_counter() - begun
        return mark
