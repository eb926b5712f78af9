"""The learning rate over a run, as a function of how much of the budget is spent."""

from __future__ import annotations

import math


def scale(progress: float, warmup: float, schedule: str) -> float:
    """The factor on the learning rate at `progress` in [0, 1]: linear warm-up, then linear, cosine or constant.

    Equal to transformers' `get_scheduler` where `warmup` times the number of steps is a whole number.
    """
    if progress < warmup:
        return progress / warmup
    rest = min(1.0, (progress - warmup) / (1 - warmup))
    if schedule == "linear":
        return 1 - rest
    if schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * rest))
    return 1.0
