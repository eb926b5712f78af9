"""Energy drawn by the device, from NVML's own counter; absent where there is none."""

from __future__ import annotations

from typing import Any

from bench.probes.guard import Guard


class Energy:
    """Joules between two readings of the device's total-energy counter (NVML counts millijoules)."""

    def __init__(self, device: Any, guard: Guard | None = None) -> None:
        self._guard = guard or Guard()
        self._handle = self._guard("energy", lambda: _handle(device))  # no driver, no library, no counter: the remark

    def joules(self) -> float | None:
        """The counter now, in joules; None where there is none."""
        return None if self._handle is None else self._guard("energy", lambda: _read(self._handle) / 1000)


def _handle(device: Any) -> Any:
    """What NVML knows a CUDA device by; None for others, which have no counter."""
    if device.type != "cuda":
        return None
    import pynvml
    import torch

    pynvml.nvmlInit()
    uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
    handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
    _read(handle)
    return handle


def _read(handle: Any) -> float:
    import pynvml

    return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle))
