"""The server trials are forked from: it has imported torch, never touched a device, and has one thread.

It reads orders, one JSON line each, on standard input and writes events, one JSON line each, on standard output:

    {"event": "ready"}   {"event": "started", "job", "pid"}   {"event": "progress", "job", "stage", "done", "total"}
    {"event": "ended", "job", "signal" | "exit"}

A job's own result is the JSON file its order names. When standard input ends, the server kills its jobs and ends: a
runner that dies takes everything with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import select
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from bench.suite.trial import Json

PROGRESS_SECONDS = 0.5


def main() -> None:
    """Serve until standard input ends."""
    _end_with_parent()
    _import_everything()
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    jobs: dict[int, str] = {}
    _emit(1, {"event": "ready"})
    pending = b""
    while True:
        readable, _, _ = select.select([0, wake], [], [])
        if wake in readable:
            os.read(wake, 4096)
            _reap(jobs)
        if 0 in readable:
            data = os.read(0, 65536)
            if not data:
                break
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                order = json.loads(line)
                pid = _fork(order)
                jobs[pid] = order["job"]
                _emit(1, {"event": "started", "job": order["job"], "pid": pid})
    for pid in jobs:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def _import_everything() -> None:
    """Import what every job needs; none of it may start a thread or look at a device."""
    import importlib

    for name in ("torch", "accelerate", "datasets", "peft", "pyarrow.parquet", "sklearn.linear_model", "transformers"):
        importlib.import_module(name)
    from transformers import AutoConfig, AutoModel, AutoTokenizer  # noqa: F401  (lazily imported otherwise)

    import bench.worker.prepare
    import bench.worker.run  # noqa: F401

    with contextlib.suppress(ImportError, AttributeError):  # transformers' own names for old weights: 0.5 s, once
        from transformers.conversion_mapping import get_checkpoint_conversion_mapping

        get_checkpoint_conversion_mapping("")
    gc.collect()
    gc.freeze()  # else a job's collector visits, and so copies, all that it shares with the server: 0.6 s a job


def _reap(jobs: dict[int, str]) -> None:
    while jobs:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        code = os.waitstatus_to_exitcode(status)
        how = {"signal": -code} if code < 0 else {"exit": code}
        _emit(1, {"event": "ended", "job": jobs.pop(pid), **how})


def _emit(descriptor: int, event: Json) -> None:
    """One line in one write, so that lines of several processes never mix (POSIX: up to PIPE_BUF bytes)."""
    os.write(descriptor, json.dumps(event).encode() + b"\n")


def _fork(order: Json) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        _become_job(order)
        code = _job(order)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _become_job(order: Json) -> None:
    """Leave the server's group, end with the server, log to the order's own file."""
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _end_with_parent()
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    events = os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    order["events"] = events


def _end_with_parent() -> None:
    """Where the kernel can, let it end this process with its parent, whatever it is doing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _job(order: Json) -> int:
    """Run a trial or a preparation and leave its result; what it raises is part of the result."""
    last = 0.0

    def tick(stage: str, done: int, total: int | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= PROGRESS_SECONDS:
            last = now
            _emit(
                order["events"],
                {"event": "progress", "job": order["job"], "stage": stage, "done": done, "total": total},
            )

    result = _prepare(order) if order["do"] == "prepare" else _trial(order, tick)
    partial = Path(order["result"] + ".partial")
    partial.write_text(json.dumps(result))
    os.replace(partial, order["result"])
    return 0


def _prepare(order: Json) -> Json:
    import torch

    from bench.errors import BenchError
    from bench.worker.prepare import prepare

    torch.set_num_threads(order["threads"])
    try:
        return {"entry": prepare(order)}
    except BenchError as error:
        return {"error": type(error).__name__, "message": str(error)}


def _trial(order: Json, tick: Any) -> Json:
    from bench.worker.run import run, status_of

    record: Json = {"status": "ok", "cause": None}
    try:
        run(order, _device(order["device"], order["threads"]), order["threads"], tick, record)
    except Exception as error:
        traceback.print_exc()
        text = " ".join(str(error).split()) or type(error).__name__
        known = type(error).__module__.startswith("bench.")
        record |= {"status": status_of(error), "cause": text if known else f"{type(error).__name__}: {text}"}
    return record


def _device(name: str, threads: int) -> Any:
    """Make the one device of this job visible, as the order says: `cpu`, or the number of a CUDA device."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "" if name == "cpu" else name
    import torch

    initialised = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    assert not initialised, "the server must not touch a device"
    torch.set_num_threads(threads)
    return torch.device("cpu" if name == "cpu" else "cuda")


if __name__ == "__main__":
    main()
