"""Runs trials in this very process, one after another: for debugging with pdb, and for tests.

What a trial prints goes to this process's own output, and Ctrl-C reaches it. Nothing is isolated: a crash ends the run,
`timeout` and `hung` are not enforced, progress does not show, and the host memory measured is the whole process's.
Scores are those of `local`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence

from bench.errors import UsageError
from bench.execution.executor import QUIET, Ended, Event, Executor, Slot, Started
from bench.execution.local import devices as local_devices
from bench.suite.trial import Json

REMARK = "run in the runner's own process (executor inline): the host memory measured is that whole process's"


class Inline(Executor):
    """Orders wait here until `events` does the first of them. The CUDA device that is used first stays this process's
    only one."""

    ISOLATED = False

    def __init__(self) -> None:
        self._waiting: dict[str, Json] = {}
        self._begun: set[str] = set()
        self._killed: set[str] = set()
        self._count = 0

    def slots(self, devices: Sequence[str], jobs: int) -> list[Slot]:
        """One: what this machine has, if that is one device."""
        found = local_devices.slots(devices, jobs)
        if len(found) > 1:
            names = ",".join(slot.name for slot in found)
            raise UsageError(f"the executor inline runs one trial at a time, not on {names}; name one of --devices")
        return found

    def submit(self, order: Json, slot: Slot | None = None) -> str:
        """Keep an order until its turn."""
        self._count += 1
        name = f"order-{self._count}"
        place = {"threads": local_devices.cores()} if slot is None else {"device": slot.device, "threads": slot.threads}
        self._waiting[name] = {**order, **place, "submitted": time.monotonic()}
        return name

    def events(self, timeout: float) -> Sequence[Event]:
        """The first order's start; called again, its end, once it has been done."""
        if not self._waiting:
            return []
        name = next(iter(self._waiting))
        if name not in self._begun:
            self._begun.add(name)
            return [Started(name)]
        return [self.abandon(name) if name in self._killed else self._done(name)]

    def check(self, devices: Sequence[str], slots: Sequence[Slot]) -> None:
        """Whether torch can use the slot's device."""
        if look := local_devices.order(devices, slots):
            self.call(look)

    def kill(self, order: str) -> None:
        """Do not begin an order; one that runs cannot be killed."""
        self._killed.add(order)

    def abandon(self, order: str) -> Ended:
        """Take an order away that has not been done yet."""
        del self._waiting[order]
        return Ended(order, cause="the trial was killed before it began")

    def close(self) -> None:
        """Forget what has not been done."""
        self._waiting.clear()

    def _done(self, name: str) -> Ended:
        from bench.trial import perform

        order = self._waiting.pop(name)
        with _interruptible(), _as_in_a_process_of_its_own():
            result = perform.run(order, lambda event: None, own_process=False)
        return Ended(name, result, remarks=() if order["do"] == "prepare" else (REMARK,))


@contextlib.contextmanager
def _as_in_a_process_of_its_own() -> Iterator[None]:
    """Libraries compute with as many threads as in a process of `local`, one but for torch's own; afterwards this
    process is as it was."""
    variables = dict(os.environ)
    os.environ.update({**local_devices.numbering(), **QUIET, **variables})

    import sklearn.linear_model  # noqa: F401  (what is loaded later would have threads of its own)
    import torch
    from threadpoolctl import threadpool_limits  # which scikit-learn brings

    threads = torch.get_num_threads()
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(threads)
        os.environ.clear()
        os.environ.update(variables)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt in the order that runs, since there is nobody who could kill it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
