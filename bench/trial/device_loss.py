"""Whether an exception says that the device is gone, and not only this trial."""

from __future__ import annotations

_SIGNS = (
    "gpu is lost",
    "fallen off the bus",
    "no cuda-capable device is detected",
    "no cuda gpus are available",
    "busy or unavailable",
    "uncorrectable ecc error",
    "invalid device ordinal",
    "cuda error: unknown error",
    "hardware stack error",
    "system not yet initialized",
)
"""From the texts of cudaGetErrorString; a failed launch or assertion is the trial's own."""


def is_device_lost(error: BaseException) -> bool:
    """By its text: torch has no exception of its own for it."""
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)
