"""The real server with nothing to import and tiny trials: what one does stands in TINY by its seed."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import plugins
from bench.errors import StoreError, UsageError, to_json
from bench.execution.local.server import serve
from bench.probes import environment
from bench.store import atomic, paths
from bench.suite.trial import digest
from bench.trial.device_loss import is_device_lost

Emit = Callable[[dict[str, Any]], None]
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


def segfault(emit: Emit) -> None:
    print("about to fall", flush=True)
    ctypes.string_at(0)


def exits(emit: Emit) -> None:
    sys.exit(3)


def killed(emit: Emit) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kills_server(emit: Emit) -> None:
    print("my server goes", flush=True)
    time.sleep(0.1)
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)


def stops(emit: Emit) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def stops_server(emit: Emit) -> None:
    os.kill(os.getppid(), signal.SIGSTOP)
    time.sleep(600)


def stops_server_and_ends(emit: Emit) -> None:
    os.kill(os.getppid(), signal.SIGSTOP)


def starts_python(emit: Emit) -> None:
    subprocess.run([sys.executable, "-m", "calendar", "2000"], check=True)


def greedy(emit: Emit) -> None:
    kept = []
    while True:
        kept.append(os.urandom(10_000_000))


def silent(emit: Emit) -> None:
    time.sleep(600)


def chatty(emit: Emit) -> None:
    while True:
        emit({"event": "progress", "stage": "train", "done": 1, "total": None})
        time.sleep(0.02)


def leaves_children(emit: Emit) -> None:
    """A child in the trial's process group, and one in a session of its own, both deaf to SIGTERM."""
    for apart in (False, True):
        subprocess.Popen([sys.executable, "-c", STUBBORN], start_new_session=apart)
    time.sleep(0.3)


def hangs_with_children(emit: Emit) -> None:
    leaves_children(emit)
    silent(emit)


def noisy(emit: Emit) -> None:
    event = json.dumps({"event": "ended", "order": "order-1", "exit": 0}).encode() + b"\n"
    for _ in range(200):
        os.write(1, b"x" * 60_000 + bytes(range(256)) + event)
    print('{"status": "failed", "scores": {"test": {"accuracy": 1}}}', flush=True)
    print("the end", flush=True)


def noisy_and_killed(emit: Emit) -> None:
    noisy(emit)
    killed(emit)


def fails(emit: Emit) -> None:
    raise ValueError("not today")


def tells_secrets(emit: Emit) -> None:
    print("with", os.environ["HF_TOKEN"], flush=True)
    raise ValueError(f"https://me:word@host/x?token={os.environ['HF_TOKEN']} refused")


def loses_device(emit: Emit) -> None:
    if os.environ["TINY_DEVICE"] == "0":
        raise RuntimeError("CUDA error: GPU is lost")


def loses_any_device(emit: Emit) -> None:
    raise RuntimeError("CUDA error: GPU is lost")


def full_disk(emit: Emit) -> None:
    raise StoreError("artifacts/x: cannot be written: No space left on device")


def fills_scratch(emit: Emit) -> None:
    with contextlib.suppress(OSError), open(Path(tempfile.gettempdir(), "fill"), "wb") as file:
        while True:
            file.write(bytes(1000))
            file.flush()


def loses_scratch(emit: Emit) -> None:
    """Nothing is left of what the runner and its trials have in the temporary folder; the second time all is well."""
    if Path("lost").exists():
        return
    Path("lost").touch()
    for folder in Path(tempfile.gettempdir()).glob("retrain-bench-*"):
        shutil.rmtree(folder)


def kills_server_without_scratch(emit: Emit) -> None:
    if not Path("lost").exists():
        loses_scratch(emit)
        kills_server(emit)


def needs_helper(emit: Emit) -> None:
    """A helper whose own parent ends at once, as daemons are started, is there a while later."""
    helper = f"subprocess.Popen([sys.executable, '-c', {STUBBORN!r}], stdout=subprocess.DEVNULL)"
    code = f"import subprocess, sys; print({helper}.pid, flush=True)"
    pid = int(subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout)
    for _ in range(20):
        time.sleep(0.05)
        os.kill(pid, 0)


def slow(emit: Emit) -> None:
    time.sleep(3)


def slow_and_alive(emit: Emit) -> None:
    for _ in range(15):
        time.sleep(0.2)
        emit({"event": "progress", "stage": "train", "done": 1, "total": None})


def dozes(emit: Emit) -> None:
    time.sleep(int.from_bytes(os.urandom(1)) / 256 * 0.03)


def body(order: dict[str, Any], emit: Emit) -> dict[str, Any]:
    if order["do"] == "prepare":
        try:
            return {"entry": prepared(order)}
        except UsageError as error:
            return {"error": to_json(error)}
    trial = order["trial"]
    act = json.loads(os.environ.get("TINY", "{}")).get(str(trial["seed"]), "dozes")
    os.environ["TINY_DEVICE"] = order["device"]
    record: dict[str, Any] = {"status": "ok", "cause": None, "start_seconds": time.monotonic() - order["submitted"]}
    about = {**environment.here(order["threads"]), "device": "cpu" if order["device"] == "cpu" else "a GPU"}
    record["environment"] = {"id": digest(about, 8), **about}
    try:
        globals()[act](emit)
    except Exception as error:
        stop, lost = isinstance(error, StoreError), is_device_lost(error)
        return record | {
            "status": "killed" if lost else "failed",
            "cause": str(error),
            "stop": stop,
            "device_lost": lost,
        }
    with atomic.folder(paths.artifacts(Path(order["results"]), trial["id"], order["attempt"])) as folder:
        (folder / "curve.json").write_text("{}")
    score = int(hashlib.sha256(trial["id"].encode()).hexdigest()[:4], 16) / 65536
    costs = {"seconds": {"total": 0.01}}
    return record | {"scores": {"metric": "accuracy", "test": {"accuracy": score}}, "costs": costs}


def prepared(order: dict[str, Any]) -> dict[str, Any]:
    if order["kind"] == "devices":
        if "TINY_NO_DEVICE" in os.environ:
            raise UsageError(f"{order['asked']}: there is none")
        return {}
    plugin = plugins.load("model_sources" if order["kind"] == "model" else "data_sources", order["source"])
    fingerprint = plugin.fingerprint(plugin.Parameters.model_validate(order["parameters"]))
    if order["kind"] == "model":
        return {"fingerprint": fingerprint, "files": {"config.json": Path("model/config.json").read_text()}}
    classes = {"train": [20, 20], "test": [5, 5]}
    return {"fingerprint": fingerprint, "labels": ["a", "b"], "classes": classes, "dropped": 0}


if __name__ == "__main__":
    serve(lambda: None, body, *map(int, sys.argv[1:]))
