"""Does one order: a preparation, or a trial. What goes wrong in it is part of its result."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable
from typing import Any

from bench import errors
from bench.errors import BenchError, StoreError
from bench.store import cache
from bench.suite.trial import Json
from bench.trial.device_loss import is_device_lost

PROGRESS_SECONDS = 0.5
"""Between two events that tell of progress."""


def run(order: Json, emit: Callable[[Json], None], *, own_process: bool = True) -> Json:
    """Do what the order says. emit: sends an event to the runner; own_process: whether this process was made for this
    order alone, and so must not have touched a device.

    A preparation, or a model to keep, gives {"entry"} or {"error": what `bench.errors.from_json` reads}; a trial its
    record as far as it got, with `stop` where the run cannot go on (the results folder cannot be written) and
    `device_lost` where the device is to be set aside.
    """
    if order["do"] == "prepare":
        return _prepare(order)
    if order["do"] == "keep":
        return _keep(order, own_process)
    last = 0.0

    def tick(stage: str, done: int, total: int | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= PROGRESS_SECONDS:
            last = now
            emit({"event": "progress", "stage": stage, "done": done, "total": total})

    with cache.signs_of_life(on_wait=lambda: tick("wait for the cache", 0, None)):
        return _trial(order, tick, own_process)


def _prepare(order: Json) -> Json:
    import torch

    from bench.trial.prepare import prepare

    torch.set_num_threads(order["threads"])
    try:
        return {"entry": prepare(order)}
    except BenchError as error:
        return {"error": errors.to_json(error)}


def _keep(order: Json, own_process: bool) -> Json:
    """Keep a trial's model: a preparation that has a trial's device."""
    from bench.trial.keep_model import keep

    place = order["place"]
    try:
        return {
            "entry": keep(order, _device(place["device"], place["threads"], own_process), place["threads"], _silent)
        }
    except BenchError as error:
        return {"error": errors.to_json(error)}


def _silent(stage: str, done: int, total: int | None) -> None:
    """Nobody watches."""


def _trial(order: Json, tick: Any, own_process: bool) -> Json:
    from bench.trial.run import run, status_of

    record: Json = {"status": "ok", "cause": None, "start_seconds": time.monotonic() - order["submitted"]}
    try:
        run(order, _device(order["device"], order["threads"], own_process), order["threads"], tick, record)
    except Exception as error:
        traceback.print_exc()
        text = " ".join(str(error).split()) or type(error).__name__
        known = isinstance(error, BenchError) or type(error).__module__.startswith("bench.")
        record |= {"status": status_of(error), "cause": text if known else f"{type(error).__name__}: {text}"}
        if isinstance(error, StoreError):
            record["stop"] = True
        elif cache.deleted():
            record |= {"status": "killed", "cause": f"the cache was deleted meanwhile: {record['cause']}"}
        if is_device_lost(error):
            record |= {"status": "killed", "cause": f"the device was lost: {record['cause']}", "device_lost": True}
    return record


def _device(name: str, threads: int, own_process: bool) -> Any:
    """Make one device alone visible: `cpu`, or a CUDA device by its number."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "" if name == "cpu" else name
    import torch

    if own_process and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        raise RuntimeError("the server must not touch a device")
    torch.set_num_threads(threads)
    return torch.device("cpu" if name == "cpu" else "cuda")
