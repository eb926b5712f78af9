"""Predictions and features of a model, in length-sorted batches, one transfer from the device at the end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
import torch
from torch import Tensor

from bench.contracts import Context


def by_length(lengths: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Batches of positions 0..n-1, longest first, so that the largest batch comes first."""
    order = np.argsort(-lengths, kind="stable")
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


def batched(
    forward: Callable[[np.ndarray], Tensor],
    lengths: np.ndarray,
    batch_size: int,
    autocast: Callable[[], AbstractContextManager[object]],
    tick: Callable[[int, int | None], None] = lambda done, total: None,
) -> np.ndarray:
    """Apply `forward` (positions → [n, width]) to all positions 0..len(lengths)-1; float32 [n, width], in order."""
    batches = by_length(lengths, batch_size)
    outputs = []
    with torch.inference_mode():
        for done, batch in enumerate(batches):
            with autocast():
                outputs.append(forward(batch).float())
            tick(done + 1, len(batches))
    found = torch.cat(outputs).cpu().numpy()
    result = np.empty_like(found)
    result[np.concatenate(batches)] = found
    return result


def in_batches(
    context: Context, forward: Callable[[np.ndarray], Tensor], lengths: np.ndarray, stage: str = "predict"
) -> np.ndarray:
    """`forward` (positions → [n, width]) of all positions, float32 [n, width], in the trial's batches and precision."""
    return batched(forward, lengths, context.evaluation_batch, context.autocast, context.progress(stage))
