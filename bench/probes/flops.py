"""Floating-point operations of a real step, by torch's own counter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bench.private_api import cpu_attention

PEAK_BF16 = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12, "T4": 65e12}
"""Dense peak FLOP/s of tensor cores in bf16 (fp16 on the T4), from the makers' data sheets."""


class FlopCount:
    """What was counted: `flops`, set when the block ends."""

    flops = 0


@contextmanager
def count() -> Iterator[FlopCount]:
    """Count the block's FLOPs, forward and backward as they really run: frozen weights get no gradient FLOPs."""
    from torch.utils.flop_counter import FlopCounterMode

    attention, backward = cpu_attention()
    result = FlopCount()
    with FlopCounterMode(display=False, custom_mapping={attention: _attention, backward: _backward}) as counter:
        yield result
    result.flops = counter.get_total_flops()


def _attention(query: Any, key: Any, value: Any, *rest: Any, **named: Any) -> int:
    """Torch's count for its other attention kernels: two products, masked places included.

    Releases differ in which formulas they wrap and how often, so that both tensors and shapes come here.
    """
    batch, heads, length, width = _shape(query)
    return int(2 * batch * heads * length * _shape(key)[-2] * (width + _shape(value)[-1]))


def _backward(grad: Any, query: Any, key: Any, value: Any, *rest: Any, **named: Any) -> int:
    """Five products: the scores anew, and a gradient for the scores, the values, the queries and the keys."""
    batch, heads, length, width = _shape(query)
    return int(2 * batch * heads * length * _shape(key)[-2] * (3 * width + 2 * _shape(value)[-1]))


def _shape(tensor: Any) -> Sequence[int]:
    found: Sequence[int] = getattr(tensor, "shape", tensor)
    return found


def peak(device_name: str) -> float | None:
    """The device's peak FLOP/s in bf16, None where it is not known."""
    return next((peak for name, peak in PEAK_BF16.items() if name in device_name), None)
