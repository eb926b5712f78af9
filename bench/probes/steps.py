"""Time of each training step: device events where there is a device, the monotonic clock elsewhere."""

from __future__ import annotations

import statistics
import time
from typing import Any

from bench.probes.guard import Guard

WHAT = "the time of a step"
WARMUP = 3
"""First steps left out of every statistic: they build kernels, caches and optimiser state."""


class StepTimes:
    """Marks where steps begin and end without synchronising; the differences are read after the last one. Where one
    mark is lacking, so are all times."""

    def __init__(self, cuda: bool, guard: Guard | None = None) -> None:
        self._cuda, self._guard, self._lost = cuda, guard or Guard(), False
        self._begun: list[Any] = []
        self._ended: list[Any] = []
        self._earlier: list[float] = []
        self._cold = [0]
        self.own_seconds = 0.0

    def begin(self) -> None:
        """A step begins."""
        self._mark(self._begun)

    def end(self) -> None:
        """The step has ended, for the host; the device comes there later."""
        self._mark(self._ended)

    def state(self) -> dict[str, Any]:
        """What `carry` takes; on a device call it after synchronising."""
        return {"seconds": self.seconds(), "cold": self._cold}

    def carry(self, state: dict[str, Any]) -> None:
        """Go on after the steps of an earlier attempt: what comes next is cold again."""
        if state["seconds"] is None:
            self._lost = True
            self._guard.failed(WHAT, "it was not before the trial went on from its checkpoint")
            return
        self._earlier = state["seconds"]
        self._cold = [*state["cold"], len(self._earlier)]

    def seconds(self) -> list[float] | None:
        """Seconds of every step, None where they are not known; on a device call it after synchronising."""
        return None if self._lost else self._guard(WHAT, self._differences)

    def _differences(self) -> list[float]:
        pairs = zip(self._begun, self._ended, strict=True)
        if self._cuda:
            return self._earlier + [begun.elapsed_time(ended) / 1000 for begun, ended in pairs]
        return self._earlier + [ended - begun for begun, ended in pairs]

    def total(self) -> float | None:
        """Seconds of all steps, the first ones taken at the median of the others: they carry the FLOP count and what
        is built once. None where they are not known."""
        warm, cold = self._warm()
        return sum(warm) + cold * statistics.median(warm) if warm else None

    def summary(self) -> dict[str, float]:
        """median and p95 of a step in seconds, and how many first steps are left out; empty where not known."""
        warm, cold = self._warm()
        if not warm:
            return {}
        late = sorted(warm)[min(len(warm) - 1, int(0.95 * len(warm)))]
        return {"median": statistics.median(warm), "p95": late, "warmup": cold}

    def _warm(self) -> tuple[list[float], int]:
        """Seconds of the steps that are not the first of an attempt (at least of the last one), and how many are."""
        seconds = self.seconds() or []
        cold = {first + i for first in self._cold for i in range(WARMUP)}
        warm = [s for i, s in enumerate(seconds) if i not in cold] or seconds[-1:]
        return warm, len(seconds) - len(warm)

    def _mark(self, marks: list[Any]) -> None:
        begun = time.perf_counter()
        mark = None if self._lost else self._guard(WHAT, _event if self._cuda else _now)
        self._lost = mark is None
        marks.append(mark)
        self.own_seconds += time.perf_counter() - begun


def _now() -> float:
    return time.perf_counter()


def _event() -> Any:
    import torch

    mark: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    mark.record()
    return mark
