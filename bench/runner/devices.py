"""Which devices this machine has, without touching one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UsageError, did_you_mean


@dataclass(frozen=True)
class Slot:
    """A place where one trial runs at a time. device: `cpu` or a CUDA device's number or UUID."""

    name: str
    device: str
    threads: int


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


def cores() -> int:
    """The cores this process may use, or fewer where OMP_NUM_THREADS says so."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(found, int(asked)) if asked.isdigit() and int(asked) > 0 else found


def cuda_devices() -> list[str]:
    """The CUDA devices a user may use: what CUDA_VISIBLE_DEVICES names, else all that the driver lists."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name.strip() not in ("", "-1")]
    try:
        import pynvml

        pynvml.nvmlInit()
        return [str(i) for i in range(pynvml.nvmlDeviceGetCount())]
    except Exception:  # no library or no driver: ask the kernel
        return [str(i) for i, _ in enumerate(Path("/proc/driver/nvidia/gpus").glob("*"))]
