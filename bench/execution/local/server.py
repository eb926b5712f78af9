"""The server that trials are forked from: it has imported torch, never touched a device, and has one thread.

It reads orders and writes events, one JSON line each, through two pipes that it is given; standard input, output and
error have no part in that, since what it imports may use them:

    {"event": "ready"}   {"event": "started", "order", "pid"}   {"event": "progress", "order", "stage", "done", "total"}
    {"event": "alive"}   {"event": "ended", "order", "signal" | "exit", "out_of_memory": whether the kernel killed it}

Every order is done in a process of its own. Its result is the JSON file that the order names; what it prints goes to
the pipe that the order names. When there can be no more orders, the server kills its processes and ends: a runner that
dies takes everything with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import functools
import gc
import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from bench import private_api
from bench.execution.local import memory_group
from bench.probes import allocator
from bench.probes.guard import Guard
from bench.suite.trial import Json

DUMP = signal.SIGUSR1
"""Has a process write the stack of each of its threads to its log."""
NO_RESULT = 74
"""A process's exit code where its result cannot be written (sysexits.h: an input/output error)."""
MARK = "BENCH_ORDER"
"""Names the order in the environment of all that its process starts."""
GROUP = "whether the kernel killed it for want of memory"
_PARENT_DEATH, _SUBREAPER = 1, 36  # prctl(2)
BEAT = 1.0
"""Seconds between two signs of life."""
_FAREWELL = 1.0
"""Seconds the server takes at most to see its processes die."""

Body = Callable[[Json, Callable[[Json], None]], Json]
"""(order, emit an event) → the result."""


def main() -> None:
    """Serve trials and preparations; the arguments are the two pipes' file descriptors."""
    from bench.trial.perform import run

    serve(_import_everything, run, *map(int, sys.argv[1:]))
    os._exit(0)  # taking all that was imported apart takes seconds, and leaves nothing better


def serve(preload: Callable[[], None], body: Body, orders: int, events: int) -> None:
    """Serve until there can be no more orders. preload: imports what every order needs; body: does an order in its own
    process; orders, events: file descriptors."""
    for channel in (orders, events):
        os.set_inheritable(channel, False)  # what imports or orders start must not hold them open
    _on_linux(_PARENT_DEATH, signal.SIGTERM)  # until the loop below sees the parent's end by itself
    preload()
    sys.stdout.flush()  # else every process would print it once more
    _on_linux(_SUBREAPER, 1)  # what a process leaves behind becomes the server's child, and dies
    allocator.keep_freed()
    Guard()(GROUP, memory_group.tidy)
    faulthandler.enable()
    faulthandler.register(DUMP)
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    processes: dict[int, str] = {}
    try:
        _emit(events, {"event": "ready"})
        _loop(processes, wake, body, orders, events)
    except BrokenPipeError:
        pass  # the parent has gone
    finally:
        _end(processes)


def _loop(processes: dict[int, str], wake: int, body: Body, orders: int, events: int) -> None:
    pending, beat = b"", 0.0
    while True:
        readable, _, _ = select.select([orders, wake], [], [], BEAT)
        if time.monotonic() - beat >= BEAT:
            beat = time.monotonic()
            _emit(events, {"event": "alive"})
        if wake in readable:
            os.read(wake, 4096)
            for event in _reap(processes):
                _emit(events, event)
        if orders in readable:
            data = os.read(orders, 65536)
            if not data:
                return
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                order = json.loads(line)
                pid = _fork(order, body, orders, events)
                processes[pid] = order["order"]
                _emit(events, {"event": "started", "order": order["order"], "pid": pid})


def _import_everything() -> None:
    """Import what every order needs; none of it may start a thread or look at a device."""
    import importlib

    for name in ("torch", "accelerate", "datasets", "peft", "pyarrow.parquet", "sklearn.linear_model", "transformers"):
        importlib.import_module(name)
    from transformers import AutoConfig, AutoModel, AutoTokenizer  # noqa: F401  (lazily imported otherwise)

    import bench.trial.prepare
    import bench.trial.run  # noqa: F401

    private_api.read_old_weights_names()
    gc.collect()
    gc.freeze()  # else each process's collector visits, and so copies, all that it shares with the server: 0.6 s


def _reap(processes: dict[int, str]) -> list[Json]:
    """Events of the processes that have ended. All they left running is killed."""
    events: list[Json] = []
    ended: set[str] = set()
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid == 0:
            break
        if pid not in processes:
            continue  # an orphan
        _kill_group(pid)
        ended.add(processes[pid])
        code = os.waitstatus_to_exitcode(status)
        how = {"signal": -code} if code < 0 else {"exit": code}
        guard = Guard()
        killed = guard(GROUP, functools.partial(memory_group.leave, pid), False)
        event = {"event": "ended", "order": processes.pop(pid), "out_of_memory": killed, **how}
        events.append(event | ({"remarks": guard.notes} if guard.notes else {}))
    if events:
        _kill_orphans(processes, ended)
    return events


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _kill_orphans(processes: dict[int, str], ended: set[str]) -> None:
    """Kill what has left its order's process group and lost its parent. While other orders run, only what says that it
    belongs to one that has ended: theirs may have lost a parent too."""
    with contextlib.suppress(OSError):
        for child in map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()):
            if child not in processes and (not processes or _order_of(child) in ended):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)


def _order_of(pid: int) -> str:
    """The order that a process was started for, from its environment; empty where that does not tell."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            if line.startswith(f"{MARK}=".encode()):
                return line.partition(b"=")[2].decode(errors="replace")
    return ""


def _end(processes: dict[int, str]) -> None:
    """Kill every process and what it started."""
    until = time.monotonic() + _FAREWELL
    while processes and time.monotonic() < until:
        for pid in processes:
            _kill_group(pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)  # one that has only just been forked leads no group yet
        _reap(processes)
        time.sleep(0.01)
    _kill_orphans({}, set())


def _emit(descriptor: int, event: Json) -> None:
    """One line in one write, so that lines of several processes never mix (POSIX: up to PIPE_BUF bytes)."""
    os.write(descriptor, json.dumps(event).encode() + b"\n")


def _fork(order: Json, body: Body, orders: int, events: int) -> int:
    server = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.close(orders)
        _become_process(order, server)
        result = body(order, lambda event: _emit(events, {**event, "order": order["order"]}))
        code = _leave(result, order["result"])
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _leave(result: Json, path: str) -> int:
    """Write an order's result; returns the exit code of its process."""
    try:
        partial = Path(path + ".partial")
        partial.write_text(json.dumps(result))
        os.replace(partial, path)
    except OSError:
        traceback.print_exc()
        return NO_RESULT
    return 0


def _become_process(order: Json, server: int) -> None:
    """Leave the server's group, end with the server, print to the order's own pipe."""
    os.setpgid(0, 0)
    os.environ[MARK] = order["order"]
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _on_linux(_PARENT_DEATH, signal.SIGKILL)
    if os.getppid() != server:
        os._exit(1)  # it died before it could be told to take this process along
    _on_linux(_SUBREAPER, 0)
    log = os.open(order["log"], os.O_WRONLY)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(log)
    os.close(null)
    guard = Guard()
    guard(GROUP, lambda: memory_group.enter(os.getpid()))
    order["remarks"] = guard.notes


def _on_linux(option: int, value: int) -> None:
    """prctl(2), where there is one."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main()
