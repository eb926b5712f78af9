"""Executors: where orders are done. The contract of `bench/execution/executors/`, one file an executor.

Another package adds its own through the entry-point group `bench.plugins` (`executors.my-cluster = "pkg.module"`); its
module holds one class that derives from `Executor`.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, Literal, Self

from bench import errors, plugins
from bench.errors import BenchError
from bench.probes import environment
from bench.suite.trial import Json

QUIET = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TQDM_DISABLE": "1",
}
"""Environment variables for where orders are done: libraries print no progress bars and no remarks."""


@dataclass(frozen=True)
class Slot:
    """A place where one trial runs at a time. device: `cpu`, or a CUDA device's number or UUID there."""

    name: str
    device: str
    threads: int


@dataclass(frozen=True)
class Started:
    """The process of an order runs."""

    order: str


@dataclass(frozen=True)
class Progressed:
    """A trial shows a sign of life: how much of a stage is done."""

    order: str
    stage: str
    done: int
    total: int | None


@dataclass(frozen=True)
class Ended:
    """An order has ended, and its executor has forgotten it.

    result: what `bench.trial.perform.run` returned; None where its process died before that, and then `status` and
    `cause` are what the trial's record says. log: the end of what was printed, secrets taken out. remarks: what could
    not be measured, for the record. error: why the whole run cannot go on, although this order left no result.
    """

    order: str
    result: Json | None = None
    log: str = ""
    status: Literal["killed", "oom_host"] = "killed"
    cause: str = ""
    remarks: tuple[str, ...] = ()
    error: BenchError | None = None


Event = Started | Progressed | Ended


class Executor(abc.ABC):
    """Does orders somewhere: trials, each on a slot, and preparations.

    An order is a dictionary that JSON can hold. `bench.trial.perform.run(order, emit)` does it and returns its result,
    which JSON can hold too; so an executor brings the order to a machine, calls that in a process there, and brings
    back what it emits and returns. It adds to the order `threads`; a trial's `device`; and `submitted`, of the clock
    `time.monotonic()` of the machine where the order is done.

    What an executor may assume of that machine: this version of `bench` and the same plugins are installed; the results
    folder (`results` in a trial's order) and the cache (`BENCH_CACHE`) are the same storage under the same paths. No
    more: no shared temporary folder, no signals, no common clock. Records are written by the runner alone, from
    results. Where a path of the suite (a model's folder, data files) does not exist, the order fails with what its
    source says. `home` in an order, the device and inode of the results folder, is true on the runner's machine alone:
    an executor elsewhere takes it out.

    An executor is made without arguments, which starts nothing; entering it as a context manager starts it, and leaving
    it closes it.
    """

    ISOLATED: ClassVar[bool] = True
    """Whether every order has a process of its own: a crash ends that order alone, and `timeout` and `hung` hold."""

    @abc.abstractmethod
    def slots(self, devices: Sequence[str], jobs: int) -> list[Slot]:
        """Where trials can run. devices: as the user names them, empty for all there are; jobs: how many trials at once
        on a CPU. Called before the start. Raises UsageError."""

    def environment(self, threads: int) -> Json:
        """What `bench.probes.environment.here` says on the machine of the slots."""
        return environment.here(threads)

    def check(self, devices: Sequence[str], slots: Sequence[Slot]) -> None:
        """Look, before the first trial, whether the slots' devices can be used. devices: as the user named them. Raises
        UsageError."""
        return

    def start(self) -> None:
        """Start what orders need; called once."""
        return

    @abc.abstractmethod
    def submit(self, order: Json, slot: Slot | None = None) -> str:
        """Have an order done at once; returns the name that its events carry. slot: a trial's; a preparation has
        none."""

    @abc.abstractmethod
    def events(self, timeout: float) -> Sequence[Event]:
        """What has happened, waiting for it at most `timeout` seconds. Every order ends, in one `Ended`. Raises
        BenchError where no order can be done any more."""

    @abc.abstractmethod
    def kill(self, order: str) -> None:
        """Kill an order with everything it started; its end is an event. May be called again, and of an order that has
        ended."""

    def dump(self, order: str) -> None:
        """Have an order print the stack of each of its threads, before it is killed for being `hung` or too long."""
        return

    @abc.abstractmethod
    def abandon(self, order: str) -> Ended:
        """Give up an order that was killed and does not end. No event of it comes any more."""

    @abc.abstractmethod
    def close(self) -> None:
        """Kill every order, and put away what was started."""

    def call(self, order: Json) -> Any:
        """Do one preparation, with nothing else under way, and return its entry. Raises the error it ended in."""
        name = self.submit(order)
        while True:
            for event in self.events(60):
                if isinstance(event, Ended) and event.order == name:
                    return self._entry(order, event)

    def _entry(self, order: Json, ended: Ended) -> Any:
        if ended.error is not None:
            raise ended.error
        if ended.result is None:
            self.events(0)  # raises where the executor itself has come to its end
            raise BenchError(f"preparing {order['kind']} {order['name']}: {ended.cause}:\n{ended.log}")
        if "error" in ended.result:
            raise errors.from_json(ended.result["error"])
        return ended.result["entry"]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def new(name: str) -> Executor:
    """A new executor of this name. Raises UsageError, with the nearest name, where there is none."""
    return plugins.find("executors", name, Executor)()  # type: ignore[type-abstract]
