"""Floating-point operations against formulas written by hand, on whichever release of torch is installed."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from bench.probes import flops

BATCH, LENGTH, WIDTH, HEADS = 2, 16, 32, 4
TOKENS = BATCH * LENGTH


class Attention(nn.Module):
    """Linear layers around torch's attention: what every encoder is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        heads = [f(x).view(BATCH, LENGTH, HEADS, -1).transpose(1, 2) for f in (self.query, self.key, self.value)]
        found = scaled_dot_product_attention(*heads, attn_mask=mask)
        return self.out(found.transpose(1, 2).reshape(BATCH, LENGTH, WIDTH))


LINEAR = 2 * TOKENS * WIDTH * WIDTH
"""One linear layer, forward; twice that backward where both its input and its weight want a gradient."""
PRODUCT = 2 * BATCH * HEADS * LENGTH * LENGTH * (WIDTH // HEADS)
"""One product of attention: two of them forward, five backward (the scores anew, then four gradients)."""


@pytest.mark.parametrize("masked", [False, True])
def test_flops_of_a_training_step_are_those_of_the_formula(masked: bool) -> None:
    net, x = Attention(), torch.randn(BATCH, LENGTH, WIDTH)
    mask = torch.ones(BATCH, 1, LENGTH, LENGTH, dtype=torch.bool) if masked else None
    with flops.count() as forward, torch.no_grad():
        net(x, mask)
    assert forward.flops == 4 * LINEAR + 2 * PRODUCT
    with flops.count() as both:
        net(x, mask).sum().backward()
    # the input wants no gradient, so query, key and value take one product backward, and the last layer two
    assert both.flops == forward.flops + (3 + 2) * LINEAR + 5 * PRODUCT


def test_frozen_weights_get_no_gradient_flops() -> None:
    net, x = Attention(), torch.randn(BATCH, LENGTH, WIDTH)
    net.requires_grad_(False)
    net.out.weight.requires_grad_(True)
    with flops.count() as counted:
        net(x).sum().backward()
    assert counted.flops == 4 * LINEAR + 2 * PRODUCT + LINEAR


def test_flops_are_counted_twice_over_without_adding_up() -> None:
    net, x = nn.Linear(WIDTH, 8), torch.randn(BATCH, WIDTH)
    found = []
    for _ in range(2):
        with flops.count() as counted:
            net(x)
        found.append(counted.flops)
    assert found == [2 * BATCH * WIDTH * 8] * 2


def test_what_one_stage_freed_is_no_memory_of_the_next() -> None:
    code = (
        "import ctypes, torch\n"
        "from bench.probes.allocator import keep_freed\n"
        "from bench.probes.memory import PeakMemory\n"
        "keep_freed()\n"
        "peaks = PeakMemory(torch.device('cpu'))\n"
        "with peaks.stage('first'):\n"
        "    held = [torch.ones(5_000_000) for _ in range(20)]\n"  # 400 MB, each block too small to be mapped
        "    del held\n"
        "with peaks.stage('second'):\n"
        "    torch.ones(1000)\n"
        "print(peaks.found['first_host'] - peaks.found['second_host'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert int(done.stdout) > 350e6
