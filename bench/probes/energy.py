"""Energy drawn by the device, from NVML's own counter; absent where there is none."""

from __future__ import annotations

from typing import Any


class Energy:
    """Joules between two readings of the device's total-energy counter (NVML counts millijoules)."""

    def __init__(self, device: Any) -> None:
        self._handle: Any = None
        if device.type != "cuda":
            return
        try:
            import pynvml
            import torch

            pynvml.nvmlInit()
            uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
            self._handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
            pynvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)
        except Exception:  # no driver, no library, no counter: all mean there is nothing to read
            self._handle = None

    def joules(self) -> float | None:
        """The counter now, in joules; None where there is none."""
        if self._handle is None:
            return None
        import pynvml

        return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) / 1000
