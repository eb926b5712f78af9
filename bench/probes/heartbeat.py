"""Signs of life of work that has no steps to count: tokenising, solving, scoring."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY = 5.0
"""Seconds between two signs of life."""
LEAST = 0.01
"""The part of a processor that work takes at least: what waits for ever takes none, and shows no sign of life."""


@contextmanager
def working(tick: Callable[[], None]) -> Iterator[None]:
    """Call `tick` now, and every few seconds while the block keeps a processor busy."""
    over = threading.Event()

    def watch() -> None:
        used = time.process_time()
        while not over.wait(EVERY):
            before, used = used, time.process_time()
            if used - before > LEAST * EVERY:
                tick()

    tick()
    thread = threading.Thread(target=watch, name="sign of life", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
