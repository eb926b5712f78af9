"""Which examples a trial learns from, is judged by while learning, and is tested on."""

from __future__ import annotations

import numpy as np

from bench.contracts import Part
from bench.data.label_noise import corrupt, mismatch
from bench.data.subsets import draw
from bench.suite.trial import Trial
from bench.trial import also_test
from bench.trial.task_data import TaskData


def parts_of(trial: Trial, found: TaskData, classes: int) -> dict[str, Part]:
    """The `train` and `validation` parts, empty where the trial sees no label, `test`, whose labels stay clean, and
    one of each also_test set.

    classes: how many there are; 0 where an example's target is no class but a row of the split.
    """
    parts = {
        split: _part(found, split, np.arange(len(found.labels[split])), 0.0, classes, trial.seed)
        for split in ("test", *(split for _, split in also_test.splits(trial.task)))
    }
    if trial.size == 0:
        empty = np.empty(0, dtype=np.int64)
        return {"train": Part("train", empty, empty), "validation": Part("train", empty, empty), **parts}
    full = trial.validation == "full"
    subset = draw(
        found.labels["train"], trial.size, 0.0 if trial.validation == "full" else trial.validation, trial.seed
    )
    held_out = ("validation", np.arange(len(found.labels["validation"]))) if full else ("train", subset.validation)
    for name, (split, indices) in {"train": ("train", subset.train), "validation": held_out}.items():
        parts[name] = _part(found, split, indices, trial.noise, classes, trial.seed)
    return parts


def _part(found: TaskData, split: str, indices: np.ndarray, noise: float, classes: int, seed: int) -> Part:
    labels = found.labels[split]
    if classes:
        noisy, clean = corrupt(labels, indices, noise, classes, seed), labels[indices]
        return Part(split, indices, noisy, wrong=int((noisy != clean).sum()))
    if not noise:
        return Part(split, indices, indices)
    targets = found.kinds_of_targets(split)
    noisy = mismatch(targets, indices, noise, seed)
    return Part(split, indices, noisy, wrong=int((targets[noisy] != targets[indices]).sum()))
