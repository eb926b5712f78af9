"""What Ctrl-C, SIGTERM and a lost terminal mean while trials run: the first lets them finish, a second stops them."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator


class Interrupt:
    """Whether it was asked to stop, and whether what runs has had its time. grace: seconds it is given."""

    def __init__(self, grace: float = 20.0) -> None:
        self.grace = grace
        self._times: list[float] = []

    @property
    def asked(self) -> bool:
        """Whether no further trial may start."""
        return bool(self._times)

    @property
    def over(self) -> bool:
        """Whether what still runs is to be killed."""
        return self.over_for >= 0

    @property
    def over_for(self) -> float:
        """Seconds since then; negative before."""
        if not self._times:
            return -1.0
        end = self._times[0] + self.grace
        return time.monotonic() - (min(end, self._times[1]) if len(self._times) > 1 else end)

    @contextlib.contextmanager
    def heeded(self) -> Iterator[None]:
        """Take note of the signals instead of raising KeyboardInterrupt; outside the main thread Python has none."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup has it
            numbers.append(signal.SIGHUP)
        before = [signal.signal(number, self._note) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)

    def _note(self, number: int, _: object) -> None:
        if number != signal.SIGHUP or not self._times:  # the shell and the kernel both tell of a lost terminal
            self._times.append(time.monotonic())
