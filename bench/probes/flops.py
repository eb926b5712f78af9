"""Floating-point operations of a real step, by torch's own counter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

PEAK_BF16 = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12, "T4": 65e12}
"""Dense peak FLOP/s of tensor cores in bf16 (fp16 on the T4), from the makers' data sheets."""


class FlopCount:
    """What was counted: `flops`, set when the block ends."""

    flops = 0


@contextmanager
def count() -> Iterator[FlopCount]:
    """Count the block's FLOPs, forward and backward as they really run: frozen weights get no gradient FLOPs."""
    import torch
    from torch.utils import flop_counter

    for name, formula in (("", flop_counter.sdpa_flop), ("_backward", flop_counter.sdpa_backward_flop)):
        kernel = getattr(torch.ops.aten, f"_scaled_dot_product_flash_attention_for_cpu{name}")
        if kernel not in flop_counter.flop_registry:  # older torch knows no CPU attention
            flop_counter.register_flop_formula(kernel)(formula)
    result = FlopCount()
    with flop_counter.FlopCounterMode(display=False) as counter:
        yield result
    result.flops = counter.get_total_flops()


def peak(device_name: str) -> float | None:
    """The device's peak FLOP/s in bf16, None where it is not known."""
    return next((peak for name, peak in PEAK_BF16.items() if name in device_name), None)
