"""The C library's allocator, where it is glibc's: what processes do with large blocks of memory that they free."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # mallopt(3)


def keep_freed() -> None:
    """Have this process, and those forked from it, keep the large blocks that they free.

    By default glibc hands each back to the kernel, which clears the pages of the next one: a third of a convolutional
    network's training step on a CPU (`benchmarks/allocator.py`). Peaks of memory grow by a tenth.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, 1 << 30)
        if not mallopt(_MMAP_THRESHOLD, 1 << 30):
            mallopt(_MMAP_THRESHOLD, 1 << 25)  # the most that older releases take


def give_back() -> None:
    """Hand all that is kept back to the kernel: what one stage freed is no memory of the next one's."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
