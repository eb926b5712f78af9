"""Software and hardware recorded with a result: versions, device, threads. Different ones never share a cell."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench.probes.guard import Guard
from bench.suite.trial import Json, digest

PACKAGES = (
    "torch",
    "transformers",
    "peft",
    "accelerate",
    "tokenizers",
    "datasets",
    "numpy",
    "scikit-learn",
    "torchvision",
)


def describe(device: Any, threads: int, precision: str, guard: Guard | None = None) -> Json:
    """The environment, with `id`: a hash of the rest. A device whose name cannot be read is called by its kind."""
    import torch

    guard = guard or Guard()
    name = guard("the device's name", lambda: _device(device), device.type)
    found = {**here(threads, guard), "device": name, "precision": precision}
    if device.type == "cuda":
        found["cuda"] = torch.version.cuda
    return {"id": digest(found, 8), **found}


def here(threads: int, guard: Guard | None = None) -> Json:
    """What of it can be said before a trial runs, and without torch."""
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": {name: _version(name) for name in PACKAGES},
        "processor": (guard or Guard())("the processor's name", processor, platform.machine()),
        "threads": threads,
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _device(device: Any) -> str:
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def processor() -> str:
    """This machine's, by the name it gives itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
