"""One vector an example, of what a backbone gives."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def pool(output: Any, mask: Tensor | None, pooling: str) -> Tensor:
    """One vector an example, [n, width], from a transformers output.

    mean: over unmasked tokens (or over the positions of a feature map); cls: the first token; last: the last unmasked
    token; pooler: the model's own.
    """
    if pooling == "pooler":
        pooled: Tensor = output.pooler_output
        return pooled.flatten(1)
    states: Tensor = output.last_hidden_state
    if states.ndim == 4:
        return states.mean(dim=(2, 3))
    if pooling == "cls":
        return states[:, 0]
    if mask is None:
        return states.mean(dim=1) if pooling == "mean" else states[:, -1]
    if pooling == "mean":
        weights = mask.to(states.dtype).unsqueeze(-1)
        return (states * weights).sum(dim=1) / weights.sum(dim=1)
    return states[torch.arange(len(states), device=states.device), mask.sum(dim=1) - 1]
