"""What a trial costs: time and energy by stage, memory peaks, what it shares with other trials, and remarks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from bench.probes.clock import Stages
from bench.probes.guard import Guard
from bench.probes.memory import PeakMemory, release
from bench.suite.trial import Json


class Ledger:
    """One trial's. guard: runs what the trial could do without. notes: remarks, each once."""

    def __init__(self, device: Any, stages: Stages, guard: Guard) -> None:
        self.device, self.stages, self.guard = device, stages, guard
        self.memory = PeakMemory(device, guard)
        self.notes: list[str] = []
        self.shared: dict[str, Json] = {}
        self._elsewhere = 0.0

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Time a stage."""
        return self.stages.stage(name)

    def note(self, remarks: Iterable[str]) -> None:
        """Keep remarks that are not known yet."""
        self.notes += [remark for remark in dict.fromkeys(remarks) if remark not in self.notes]

    @contextmanager
    def uncharged(self) -> Iterator[None]:
        """The block's time is no cost of this trial: it works for all trials that share the result, or waits for it."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self._elsewhere -= time.perf_counter() - begun

    def charge(self, stage: str, seconds: float) -> None:
        """Add this trial's share of work that was done once for several to a stage, and to the total."""
        self.stages.seconds[stage] = self.stages.seconds.get(stage, 0.0) + seconds
        self._elsewhere += seconds

    def share(self, stage: str, facts: Json) -> None:
        """Charge the whole of what other trials also use. facts: {"seconds", "notes", …}."""
        self.charge(stage, facts["seconds"])
        self.note(facts["notes"])
        self.shared[stage] = {name: value for name, value in facts.items() if name != "notes"}

    def forget_memory(self) -> None:
        """What memory shared work took is no trial's."""
        release(self.device)
        self.memory.reset()

    def seconds(self) -> float:
        """The trial's time up to now, with its shares of what was done once for several."""
        return self.stages.total() + self._elsewhere

    def costs(self) -> Json:
        """For the record: {"seconds", "memory_bytes"} and, where there are some, "shared" and "energy_joules"."""
        costs: Json = {"memory_bytes": self.memory.found}
        if self.shared:
            costs["shared"] = self.shared
        costs["seconds"] = {**self.stages.seconds, "total": self.seconds()}
        if self.stages.joules:
            costs["energy_joules"] = self.stages.joules
        return costs


def synchroniser(device: Any) -> Callable[[], None]:
    """What waits for all that a device has queued."""
    if device.type != "cuda":
        return lambda: None
    import torch

    return lambda: torch.cuda.synchronize(device)
