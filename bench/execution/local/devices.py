"""Which devices this machine has, found without touching one."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from bench.errors import UsageError, did_you_mean
from bench.execution.executor import Slot
from bench.suite.trial import Json

VISIBLE = "CUDA_VISIBLE_DEVICES"
_DEVICE = re.compile(r"\d+|(?:GPU|MIG)-.+")


def slots(devices: Sequence[str] = (), jobs: int = 1) -> list[Slot]:
    """One slot a CUDA device, or `jobs` slots on the CPU. The cores are shared out among the slots as threads.

    devices: as the user names them; empty: all CUDA devices, or the CPU where there are none. Raises UsageError.
    """
    known = cuda_devices()
    chosen = list(devices) or known or ["cpu"]
    absent = [name for name in chosen if name not in (*known, "cpu") and not name.startswith(("GPU-", "MIG-"))]
    if absent:
        raise UsageError(
            f"--devices {','.join(chosen)}: there is no device '{absent[0]}'{did_you_mean(absent[0], [*known, 'cpu'])}"
        )
    if len(set(chosen)) != len(chosen) or ("cpu" in chosen and len(chosen) > 1):
        raise UsageError(f"--devices {','.join(chosen)}: name each device once, and cpu alone")
    if jobs > 1 and chosen != ["cpu"]:
        raise UsageError("--jobs is for the CPU: a CUDA device runs one trial at a time, or its timings mean nothing")
    names = [f"cpu:{i}" for i in range(jobs)] if jobs > 1 else chosen
    threads = max(1, cores() // len(names))
    return [Slot(name, name.split(":")[0], threads) for name in names]


def order(devices: Sequence[str], places: Sequence[Slot]) -> Json | None:
    """The order to look whether torch can use these devices, before anything else starts; None on the CPU.

    devices: as the user named them. The runner knows what the driver lists, not what torch was built for.
    """
    if all(slot.device == "cpu" for slot in places):
        return None
    names = ",".join(slot.device for slot in places)
    asked = f"--devices {names}" if devices else f"{VISIBLE}={os.environ[VISIBLE]}" if VISIBLE in os.environ else names
    return {"do": "prepare", "kind": "devices", "name": names, "asked": asked}


def numbering() -> dict[str, str]:
    """What has CUDA number devices as the driver lists them; where the user has named some, as they are used to."""
    return {} if VISIBLE in os.environ else {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def cores() -> int:
    """The cores this process may use, or fewer where OMP_NUM_THREADS says so."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(found, int(asked)) if asked.isdigit() and int(asked) > 0 else found


def cuda_devices() -> list[str]:
    """The CUDA devices a user may use: what CUDA_VISIBLE_DEVICES names, else all that the driver lists."""
    visible = os.environ.get(VISIBLE)
    if visible is not None:  # what follows the first name that is none, CUDA hides too
        return list(takewhile(_DEVICE.fullmatch, (name.strip() for name in visible.split(","))))
    try:
        import pynvml

        pynvml.nvmlInit()
        return [str(i) for i in range(pynvml.nvmlDeviceGetCount())]
    except Exception:  # no library or no driver: ask the kernel
        return [str(i) for i, _ in enumerate(Path("/proc/driver/nvidia/gpus").glob("*"))]
