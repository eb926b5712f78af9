"""The server's process as its parent sees it: its two pipes, and whether it still shows signs of life."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.suite.trial import Json

SILENCE = 20.0
"""Seconds without a sign of life, of which there is one every second, after which a server is killed."""
STARTING = 600.0
"""Seconds it may take to import what orders need; it gives no sign meanwhile."""
STANDSTILL = 5.0
"""A parent that has not looked for so long stood still itself: stopped, or the machine asleep."""
_CHUNK = 65536


class Process:
    """Started with the two pipes' file descriptors as its last arguments.

    Orders and events have channels of their own: what a stranger's code prints while it is imported goes to the log,
    and what it reads is empty. `orders` and `events` are this end's file descriptors; `silent`: after how many seconds
    of silence it was killed, else 0.
    """

    def __init__(self, command: Sequence[str], log: Path, env: Mapping[str, str]) -> None:
        theirs, self.orders = os.pipe()
        self.events, others = os.pipe()
        os.set_blocking(self.orders, False)
        self.ready = False
        self.silent = 0.0
        self.unsent = bytearray()
        self._pending = b""
        self._heard = self._looked = time.monotonic()
        try:
            with log.open("wb") as file:
                self._process = subprocess.Popen(
                    (*command, str(theirs), str(others)),
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    env=env,
                    pass_fds=(theirs, others),
                    start_new_session=True,  # Ctrl-C is the parent's to handle
                )
        except OSError:
            self.close()
            raise
        finally:
            os.close(theirs)
            os.close(others)

    def send(self, order: Json | None = None) -> None:
        """Hand over an order, or what is left of earlier ones, as far as there is room: a stopped server reads none."""
        if order is not None:
            self.unsent += json.dumps(order).encode() + b"\n"
        with contextlib.suppress(BlockingIOError, BrokenPipeError):  # a dead server shows by its events' end
            del self.unsent[: os.write(self.orders, self.unsent)]

    def read(self) -> list[Json] | None:
        """The events that have come; None when there can be no more."""
        data = os.read(self.events, _CHUNK)
        if not data:
            return None
        *lines, self._pending = (self._pending + data).split(b"\n")
        found: list[Json] = [json.loads(line) for line in lines]
        for event in found:
            self.ready = True
            if event["event"] != "progress":  # that comes from an order's process, and says nothing of the server
                self._heard = time.monotonic()
        return [event for event in found if "order" in event]

    def watch(self) -> None:
        """Kill it where it has shown no sign of life for too long: stopped, or stuck."""
        now = time.monotonic()
        if (away := now - self._looked) > STANDSTILL:
            self._heard += away
        self._looked = now
        silent = now - self._heard
        if silent > SILENCE and (self.ready or silent > STARTING or self._stopped()):
            self.silent = silent
            self.kill()

    def ended(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()

    def leave(self, seconds: float) -> None:
        """Close both pipes, whereupon it kills its processes and ends; kill it if that takes longer."""
        self.close()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def how(self) -> Json:
        """How it has ended, waiting for that."""
        code = self._process.wait()
        if self.silent:
            return {"silent": self.silent}
        return {"signal": -code} if code < 0 else {"exit": code}

    def close(self) -> None:
        """Close both pipes."""
        for end in (self.orders, self.events):
            if end >= 0:
                os.close(end)
        self.orders = self.events = -1

    def _stopped(self) -> bool:
        """Whether it stands still, as SIGSTOP has it do."""
        try:
            return Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        except OSError:  # it has gone, or this is no Linux
            return False
