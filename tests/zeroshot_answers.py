"""What a way of zero-shot answers, checked for its shape and sums, and the same written out by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tiny_models import LABELS, TEXTS

from bench.modeling.inference.zero_shot import Settings

CPU = torch.device("cpu")


def answer(way: Any, folder: Path, inputs: Any, labels: Any, templates: Any, **options: Any) -> np.ndarray:
    """The way's answer, after checking its shape, its sums, and that neither batches nor order change it."""
    how = {"label_map": {}, "device": CPU, "max_length": 60, **options}
    loaded = way.load(folder, CPU, torch.float32)
    assert isinstance(loaded.model, torch.nn.Module)
    assert not loaded.model.training
    ticks: list[tuple[int, int]] = []
    found: np.ndarray = way.log_probabilities(
        loaded, inputs, labels, templates, Settings(batch_size=3, tick=lambda *at: ticks.append(at), **how)
    )
    assert (found.shape, found.dtype) == ((len(templates), len(inputs), len(labels)), np.float32)
    np.testing.assert_allclose(np.exp(found).sum(-1), 1, atol=1e-5)
    if loaded.tokenizer is not None:
        loaded.tokenizer.padding_side = "left"  # what a tokenizer says of padding must not matter
    single = way.log_probabilities(loaded, inputs, labels, templates, Settings(batch_size=1, **how))
    np.testing.assert_allclose(single, found, atol=1e-5)
    turned = way.log_probabilities(loaded, inputs[::-1], labels, templates, Settings(batch_size=8, **how))
    np.testing.assert_allclose(turned[:, ::-1], found, atol=1e-5)
    assert ticks[-1][0] == ticks[-1][1]
    assert ticks == sorted(ticks)
    return found


def softmaxed(scores: list[list[float]]) -> np.ndarray:
    found: np.ndarray = torch.tensor(scores).double().log_softmax(-1).numpy()
    return found


def by_hand(score: Callable[[str, str], float]) -> np.ndarray:
    return softmaxed([[score(text, label) for label in LABELS] for text in TEXTS])
