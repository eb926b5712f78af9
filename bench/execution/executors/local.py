"""Runs each trial on this machine in a process of its own, forked from a server (`bench.execution.local.server`)."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import selectors
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.errors import BenchError, StoreError
from bench.execution.executor import QUIET, Ended, Event, Executor, Progressed, Slot, Started
from bench.execution.local import devices as local_devices
from bench.execution.local import memory_group, scratch
from bench.execution.local.server import DUMP, NO_RESULT
from bench.execution.local.server_handle import Process
from bench.redact import redact
from bench.suite.trial import Json

LOG_END = 4000
"""Characters of a log that are kept when an order fails."""
MOST_DEATHS = 3
"""Servers in a row that may die with no order ended between, before the run stops."""
FAREWELL = 3.0
"""Seconds the server is given to see its processes die."""
LOOK = 1.0
"""Seconds at most between two looks at the server's clock."""
COMMAND = (sys.executable, "-P", "-m", "bench.execution.local.server")
"""-P: the current folder may hold a `torch.py`, or a folder `bench`; it is not looked into."""
ONE_THREAD = {
    "PYTHONSAFEPATH": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
"""The server stays at one thread: children forked after two-threaded work hang. An order's process raises its own
count. Python that it starts does not look into the current folder either."""
_CHUNK = 65536
_ORDERS, _EVENTS = "orders", "events"


@dataclass
class _Process:
    """The process of an order that has not ended. place: its files, but for what follows the dot; pipe: what it prints
    comes from here; oom_kills: how many processes the kernel had killed for memory before; printed: the end of what it
    printed; pid: once it runs."""

    place: Path
    pipe: int
    oom_kills: int
    printed: bytes = b""
    pid: int | None = None

    def drain(self) -> bool:
        """Take what has been printed, so that nobody waits, and keep the end; False when nothing more can come."""
        try:
            data = os.read(self.pipe, _CHUNK)
        except BlockingIOError:
            return True
        self.printed = (self.printed + data)[-4 * LOG_END :]  # UTF-8: at most four bytes a character
        return bool(data)

    def signal(self, number: int) -> None:
        """Send a signal, once it runs."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it, and everything it started."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self.signal(signal.SIGKILL)  # one that has only just started leads no group yet

    def result(self) -> Json | None:
        """What it left; None where it was killed before, or the scratch folder removed."""
        try:
            found = json.loads(self.place.with_suffix(".json").read_bytes())
        except (OSError, ValueError):
            return None
        # what an exception says may hold unpaired surrogates, which no file takes
        result: Json = json.loads(json.dumps(found, ensure_ascii=False).encode(errors="replace"))
        return result

    def log(self) -> str:
        """The end of what it has printed, secrets taken out; bytes that are no text are shown as such."""
        return redact(self.printed.decode(errors="replace"))[-LOG_END:]


class Local(Executor):
    """A server that has imported what orders need, and a process forked from it for each; a server that dies is
    replaced."""

    def __init__(self) -> None:
        self._count = 0
        self._processes: dict[str, _Process] = {}
        self._deaths = 0
        self._started = False
        self._gone = ""

    def slots(self, devices: Sequence[str], jobs: int) -> list[Slot]:
        """One slot a CUDA device of this machine, or `jobs` on its CPU. Raises UsageError."""
        return local_devices.slots(devices, jobs)

    def check(self, devices: Sequence[str], slots: Sequence[Slot]) -> None:
        """Have a process look whether torch can use the slots' devices. Raises UsageError."""
        if look := local_devices.order(devices, slots):
            self.call(look)

    def start(self) -> None:
        """Start the server, which imports for some seconds; orders wait for that."""
        self._scratch, self._hold = scratch.new()
        self._selector = selectors.DefaultSelector()
        self._server = self._serve()

    def close(self) -> None:
        """Kill the server and every process."""
        if not self._server.ready:
            self._server.kill()  # it has no process yet, and would go on importing for seconds
        self._server.leave(FAREWELL)
        for name in list(self._processes):
            self._forget(name)
        self._selector.close()
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._hold.release()

    def submit(self, order: Json, slot: Slot | None = None) -> str:
        """Start an order's process at once."""
        self._count += 1
        name = f"order-{self._count}"
        place = self._room() / name
        log = place.with_suffix(".log")
        with scratch.refused(self._scratch):
            os.mkfifo(log)
            pipe = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
        self._processes[name] = _Process(place, pipe, memory_group.killed_so_far())
        self._selector.register(pipe, selectors.EVENT_READ, name)
        more = {"order": name, "result": str(place.with_suffix(".json")), "log": str(log)}
        where = {"threads": local_devices.cores()} if slot is None else {"device": slot.device, "threads": slot.threads}
        self._send({**order, **where, **more, "submitted": time.monotonic()})
        return name

    def pid(self, order: str) -> int | None:
        """The id of an order's process, once it has started."""
        return self._processes[order].pid

    def events(self, timeout: float) -> list[Event]:
        """What has happened. When the server has died, its orders have ended."""
        if self._gone:
            raise BenchError(self._gone)
        found: list[Event] = []
        for key, _ in self._selector.select(min(timeout, LOOK)):
            if key.data == _EVENTS:
                found += self._read()
            elif key.data == _ORDERS:
                self._send()
            elif key.data in self._processes and not self._processes[key.data].drain():
                self._selector.unregister(key.fileobj)
        if not found and not self._gone:
            self._server.watch()
            if self._server.ended():
                return self._died()  # also where a process that outlives it holds its end of the pipe open
        return found

    def kill(self, order: str) -> None:
        """Kill an order's process, and everything it started."""
        if order in self._processes:
            self._processes[order].kill()

    def dump(self, order: str) -> None:
        """Have an order's process print the stack of each of its threads."""
        if order in self._processes:
            self._processes[order].signal(DUMP)

    def abandon(self, order: str) -> Ended:
        """Give up an order whose server does not say that it has ended."""
        ended = Ended(order, log=self._processes[order].log(), cause="the trial's process was given up")
        self._forget(order)
        return ended

    def _read(self) -> list[Event]:
        said = self._server.read()
        if said is None:
            return self._died()
        self._started = self._started or self._server.ready
        found: list[Event] = []
        for event in said:
            name = event["order"]
            if name not in self._processes:
                continue  # it was given up
            if event["event"] == "started":
                self._processes[name].pid = event["pid"]
                found.append(Started(name))
            if event["event"] == "progress":
                found.append(Progressed(name, event["stage"], event["done"], event["total"]))
            if event["event"] == "ended":
                self._deaths = 0
                found.append(self._ended(name, event))
        return found

    def _ended(self, name: str, how: Json) -> Ended:
        """What has become of an order. Reads what its pipe still holds (64 KiB); what goes on writing to that outlives
        its process and is not waited for."""
        process = self._processes[name]
        process.drain()
        result, remarks = process.result(), tuple(how.get("remarks", ()))
        status: Literal["killed", "oom_host"] = "killed"
        cause = _ending(how)
        if how.get("signal") == signal.SIGKILL:
            # short of memory it was only where the kernel says so
            if how.get("out_of_memory"):
                status, cause = "oom_host", "the kernel killed it: the machine ran out of memory"
            elif memory_group.killed_so_far() > process.oom_kills:
                cause += "; meanwhile the kernel killed a process for want of memory, maybe this one"
        error = _no_room(process.place.parent) if how.get("exit") == NO_RESULT else None
        ended = Ended(name, result, process.log(), status, cause, remarks, error)
        process.pid = None  # somebody else's soon
        self._forget(name)
        return ended

    def _forget(self, name: str) -> None:
        """Kill a process that may still run, and put away what is kept of it."""
        process = self._processes.pop(name)
        process.kill()
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(process.pipe)
        os.close(process.pipe)
        for suffix in (".json", ".log"):
            process.place.with_suffix(suffix).unlink(missing_ok=True)

    def _send(self, order: Json | None = None) -> None:
        """Hand over an order, or what is left of one as soon as there is room for it."""
        server = self._server
        if self._gone:
            return
        server.send(order)
        waits = server.orders in self._selector.get_map()
        if server.unsent and not waits:
            self._selector.register(server.orders, selectors.EVENT_WRITE, _ORDERS)
        if not server.unsent and waits:
            self._selector.unregister(server.orders)

    def _serve(self) -> Process:
        with scratch.refused(self._room()):
            server = Process(COMMAND, self._scratch / "server.log", _environment())
        self._selector.register(server.events, selectors.EVENT_READ, _EVENTS)
        return server

    def _room(self) -> Path:
        """The scratch folder; a new one where somebody has tidied the temporary folder."""
        if not self._scratch.is_dir():
            self._hold.release()
            self._scratch, self._hold = scratch.new()
        return self._scratch

    def _died(self) -> list[Event]:
        """Put a new server in the place of a dead one; its orders have ended with it."""
        how = self._server.how()
        for process in self._processes.values():
            process.kill()
        self._deaths += 1
        if not (self._started or self._server.silent) or self._deaths >= MOST_DEATHS:
            log = scratch.end_of(self._scratch / "server.log", LOG_END)
            self._gone = f"{_ending({'server': how})}; what had finished is kept, running again goes on\n{log}".rstrip()
        for end in (self._server.events, self._server.orders):
            with contextlib.suppress(KeyError):
                self._selector.unregister(end)
        self._server.close()
        events: list[Event] = [self._ended(name, {"server": how}) for name in sorted(self._processes)]
        if not self._gone:
            self._server = self._serve()
        return events


def _environment() -> dict[str, str]:
    """The server's: with what asserts and docstrings are for, since libraries rely on them."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONOPTIMIZE"}
    return {**local_devices.numbering(), **kept, **ONE_THREAD, **QUIET}


def _no_room(folder: Path) -> StoreError | None:
    """What to say where a result could not be written; None where the folder for it was removed meanwhile."""
    if not folder.is_dir():
        return None
    return scratch.refusal(folder, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))


def _ending(event: Json) -> str:
    """How an order ended that left no result."""
    who, how = "the trial's process", event
    if "server" in event:
        who, how = "the process that trials are forked from", event["server"]
    if "silent" in how:
        return f"{who} showed no sign of life for {how['silent']:.0f} s and was killed"
    if how.get("exit") == NO_RESULT:
        return f"{who} could not leave its result: the temporary folder was emptied meanwhile"
    return f"{who} ended with " + (f"signal {how['signal']}" if "signal" in how else f"exit code {how['exit']}")
