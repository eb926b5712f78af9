"""Peak memory: allocated and reserved on the device, resident on the host."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class PeakMemory:
    """Peaks of named stages, in bytes. On a CPU the device's rows are absent."""

    def __init__(self, device: Any) -> None:
        self._device = device
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
        """Start anew. The kernel's high-water mark is reset too: a forked child inherits the server's."""
        _reset_host()
        if self._device.type == "cuda":
            import torch

            torch.cuda.reset_peak_memory_stats(self._device)

    def peaks(self, stage: str) -> dict[str, int]:
        """Since the last `reset`: `{stage}_host` and, on a device, `{stage}_allocated` and `{stage}_reserved`."""
        found = {}
        host = _host_peak()
        if host is not None:
            found[f"{stage}_host"] = host
        if self._device.type == "cuda":
            import torch

            found[f"{stage}_allocated"] = torch.cuda.max_memory_allocated(self._device)
            found[f"{stage}_reserved"] = torch.cuda.max_memory_reserved(self._device)
        return found


def release(device: Any) -> None:
    """Give back what no object holds any more: Python's cycles, and what the device's allocator keeps."""
    gc.collect()
    if device.type == "cuda":
        import torch

        torch.cuda.empty_cache()


def _reset_host() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def _host_peak() -> int | None:
    """VmHWM in bytes; None where the kernel does not tell."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)
