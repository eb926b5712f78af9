"""What only measures or compares never ends a trial: where it fails it is absent, and a remark says what and why."""

from __future__ import annotations

import errno
import math
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar, overload

from bench.errors import StoreError

MOST = 300
"""Characters of an error that a remark repeats."""

T = TypeVar("T")
U = TypeVar("U")


class Guard:
    """Runs what a trial could do without. notes: one sentence for each thing that failed, however often it did.

    What it does not hold back: a store that cannot be written, which stops the run whoever writes, and the exceptions
    that end a process (KeyboardInterrupt, SystemExit). Memory that runs out is held back as any other failure: whoever
    guards a part of the trial's own work along with a probe (`bench.training.loop`) must tell them apart.
    """

    def __init__(self, notes: Iterable[str] = ()) -> None:
        self.notes = list(notes)
        self._failed: set[str] = set()

    @overload
    def __call__(self, what: str, measure: Callable[[], T]) -> T | None: ...

    @overload
    def __call__(self, what: str, measure: Callable[[], T], otherwise: U) -> T | U: ...

    def __call__(self, what: str, measure: Callable[[], T], otherwise: U | None = None) -> T | U | None:
        """What `measure` gives, or `otherwise` where it fails or gives no finite number, which no record could hold.
        what: names it in the remark ("the latency")."""
        try:
            found = measure()
            if isinstance(found, float) and not math.isfinite(found):
                raise ValueError(f"it is {found}")
            return found
        except StoreError:
            raise
        except Exception as error:
            self.failed(what, said(error))
            return otherwise

    def failed(self, what: str, why: str) -> None:
        """Remark, once, that something could not be measured."""
        if what not in self._failed:
            self._failed.add(what)
            self.notes.append(f"{what} could not be measured: {why}")


def said(error: BaseException) -> str:
    """An exception in one line of bounded length."""
    text = " ".join(str(error).split())
    name = type(error).__name__
    return (f"{name}: {text}" if text else name)[:MOST]


def is_device_full(error: BaseException) -> bool:
    """Whether the device ran out of memory: torch's allocator, the driver, or a library that found no room for its
    own."""
    import torch

    driver = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
    return any(
        isinstance(e, torch.OutOfMemoryError) or (isinstance(e, RuntimeError) and any(d in str(e) for d in driver))
        for e in _causes(error)
    )


def is_host_full(error: BaseException) -> bool:
    """Whether an allocation on the host was refused: Python's, the kernel's or torch's own words, nothing else."""
    torch_says = ("DefaultCPUAllocator: can't allocate memory", "DefaultCPUAllocator: not enough memory")
    return any(
        isinstance(e, MemoryError)
        or (isinstance(e, OSError) and e.errno == errno.ENOMEM)
        or (isinstance(e, RuntimeError) and any(words in str(e) for words in torch_says))
        for e in _causes(error)
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__
