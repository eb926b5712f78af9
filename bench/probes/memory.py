"""Peak memory: allocated and reserved on the device, resident on the host."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.probes import allocator
from bench.probes.guard import Guard

HOST, DEVICE = "the host's memory", "the device's memory"


class PeakMemory:
    """Peaks of named stages, in bytes. On a CPU the device's rows are absent, and either's where it cannot be read."""

    def __init__(self, device: Any, guard: Guard | None = None) -> None:
        self._device, self._guard = device, guard or Guard()
        self._begun: dict[str, bool] = {}
        self.found: dict[str, int] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Put the block's peaks into `found`, also where the block fails."""
        self.reset()
        try:
            yield
        finally:
            self.carry(self.peaks(name))

    def carry(self, peaks: dict[str, int]) -> None:
        """Take note of peaks, beside or above those that are known."""
        self.found |= {name: max(peak, self.found.get(name, 0)) for name, peak in peaks.items()}

    def forget(self, stage: str) -> None:
        """Drop the peaks of a stage in which nothing of its name happened."""
        for name in [name for name in self.found if name.startswith(f"{stage}_")]:
            del self.found[name]

    def reset(self) -> None:
        """Start anew. The kernel's high-water mark is reset too: a forked child inherits the server's. A mark that
        cannot be reset says nothing of what comes next, and is not read."""
        self._begun[HOST] = self._guard(HOST, _reset_host, False)
        if self._device.type == "cuda":
            self._begun[DEVICE] = self._guard(DEVICE, lambda: _reset_device(self._device), False)

    def peaks(self, stage: str) -> dict[str, int]:
        """Since the last `reset`: `{stage}_host` and, on a device, `{stage}_allocated` and `{stage}_reserved`."""
        read = {HOST: _host_peaks, DEVICE: lambda: _device_peaks(self._device)}
        each = [self._guard(what, read[what], {}) for what, begun in self._begun.items() if begun]
        return {f"{stage}_{name}": peak for found in each for name, peak in found.items()}


def release(device: Any) -> None:
    """Give back what no object holds any more: Python's cycles, and what the device's allocator keeps."""
    gc.collect()
    if device.type == "cuda":
        import torch

        torch.cuda.empty_cache()


def _reset_host() -> bool:
    """False where the kernel keeps no mark (it is no Linux)."""
    if not Path("/proc/self/status").exists():
        return False
    allocator.give_back()
    Path("/proc/self/clear_refs").write_text("5")
    return True


def _host_peak() -> int | None:
    """VmHWM in bytes; None where the kernel does not tell."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)


def _host_peaks() -> dict[str, int]:
    peak = _host_peak()
    return {} if peak is None else {"host": peak}


def _reset_device(device: Any) -> bool:
    import torch

    torch.cuda.reset_peak_memory_stats(device)
    return True


def _device_peaks(device: Any) -> dict[str, int]:
    import torch

    return {
        "allocated": torch.cuda.max_memory_allocated(device),
        "reserved": torch.cuda.max_memory_reserved(device),
    }
