"""Time of each training step: device events where there is a device, the monotonic clock elsewhere."""

from __future__ import annotations

import statistics
import time
from typing import Any

WARMUP = 3
"""First steps left out of every statistic: they build kernels, caches and optimiser state."""


class StepTimes:
    """Marks the borders between steps without synchronising; the differences are read after the last one."""

    def __init__(self, cuda: bool) -> None:
        self._cuda = cuda
        self._marks: list[Any] = []
        self.own_seconds = 0.0

    def mark(self) -> None:
        """Mark a border. Called once before the first step and once after each."""
        begun = time.perf_counter()
        if self._cuda:
            import torch

            event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            event.record()
            self._marks.append(event)
        else:
            self._marks.append(begun)
        self.own_seconds += time.perf_counter() - begun

    def seconds(self) -> list[float]:
        """Seconds of every step; on a device call it after synchronising."""
        pairs = list(zip(self._marks, self._marks[1:], strict=False))
        if self._cuda:
            return [first.elapsed_time(second) / 1000 for first, second in pairs]
        return [second - first for first, second in pairs]

    def summary(self) -> dict[str, float]:
        """median and p95 of a step in seconds, and how many first steps are left out; empty without steps."""
        seconds = self.seconds()
        warm = min(WARMUP, len(seconds) - 1)
        kept = sorted(seconds[warm:])
        if not kept:
            return {}
        return {
            "median": statistics.median(kept),
            "p95": kept[min(len(kept) - 1, int(0.95 * len(kept)))],
            "warmup": warm,
        }
