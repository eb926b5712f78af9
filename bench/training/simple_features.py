"""Baseline for images; needs no pretrained model.

Histograms of oriented gradients (Dalal and Triggs 2005), a histogram of colours and a thumbnail, and the objective's
linear model on top: what edges, colours and layout alone tell.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from bench.contracts import Baseline, Context, Part
from bench.store.cache import cached
from bench.training import linear_baseline

VERSION = 1
SIZE = 64
"""Pixels a side, to which every image is brought."""
CELL, ORIENTATIONS, LEVELS, THUMBNAIL = 8, 9, 4, 8
"""Pixels a side of a cell of gradients; directions, of half a turn; of each colour's values; pixels a side."""
MOST = 128
"""Principal components of the features, where there are more training images than that."""
BOUNDS = (0.1, 1000.0)
"""Of C: an image's features have about length one, as a text's have."""


def simple_features(context: Context, part: Part) -> dict[str, Baseline]:
    """{"simple-features": gives the answers to a part}; {} where the trial saw no label or the task is none of
    images."""
    if context.task.MODALITY != "image" or not len(context.parts["train"].indices):
        return {}
    return {
        "simple-features": lambda: linear_baseline.answers(
            context, part, "simple-features", VERSION, _components, BOUNDS
        )
    }


def _components(context: Context, train: Part, part: Part) -> tuple[np.ndarray, np.ndarray]:
    """Features less their mean; of more images than there are components to be, the principal ones."""
    from sklearn.decomposition import PCA

    known, asked = (_features(context, of) for of in (train, part))
    if len(known) <= MOST:
        return known - known.mean(axis=0), asked - known.mean(axis=0)
    components = PCA(MOST, random_state=0).fit(known)
    return components.transform(known), components.transform(asked)


def _features(context: Context, part: Part) -> np.ndarray:
    """float32 [n, features]. Those of a split of which most is used are kept: other seeds and sizes use them too."""
    images = context.examples(part.split).inputs
    if 2 * len(part.indices) < len(images):
        return describe(images[row] for row in part.indices.tolist())

    def fill(target: Path) -> None:
        np.save(target / "features.npy", describe(images[row] for row in range(len(images))))

    key = {"version": VERSION, "task": context.trial.task, "split": part.split, "limits": context.trial.limits}
    found = np.load(cached("simple-features", key, fill) / "features.npy")
    return np.asarray(found[part.indices])


def describe(images: Iterable[Any]) -> np.ndarray:
    """Images of Pillow's, of any size and mode → float32 [n, features]; each of the three kinds of features has about
    length one."""
    return np.stack([_described(image.convert("RGB")) for image in images])


def _described(image: Any) -> np.ndarray:
    from PIL.Image import Resampling

    pixels = np.asarray(image.resize((SIZE, SIZE), Resampling.BOX), dtype=np.float32)
    small = np.asarray(image.resize((THUMBNAIL, THUMBNAIL), Resampling.BOX), dtype=np.float32)
    blocks = gradients(pixels.mean(axis=-1))
    levels = (pixels * (LEVELS / 256)).astype(np.int64) @ np.array([LEVELS**2, LEVELS, 1])
    colours = np.sqrt(np.bincount(levels.ravel(), minlength=LEVELS**3) / levels.size)
    thumbnail = small.ravel() / (255 * np.sqrt(small.size))
    return np.concatenate([blocks.ravel() / np.sqrt(len(blocks)), colours, thumbnail]).astype(np.float32)


def gradients(grey: np.ndarray) -> np.ndarray:
    """Dalal and Triggs' descriptor of grey values [side, side]: [blocks, 2 · 2 · orientations], each block of 2 × 2
    cells of length one, no number above .2 before it is brought to that length again."""
    down, right = np.gradient(grey)
    strength = np.hypot(down, right)
    angle = (np.arctan2(down, right) % np.pi) * (ORIENTATIONS / np.pi) - 0.5
    below = np.floor(angle).astype(np.int64)
    share = angle - below
    votes = np.zeros((*grey.shape, ORIENTATIONS), dtype=np.float32)
    for number, weight in ((below, 1 - share), (below + 1, share)):  # shared by the two directions beside it
        np.put_along_axis(votes, (number % ORIENTATIONS)[..., None], (strength * weight)[..., None], axis=-1)
    side = len(grey) // CELL
    cells = votes.reshape(side, CELL, side, CELL, ORIENTATIONS).sum(axis=(1, 3))
    blocks = sliding_window_view(cells, (2, 2), axis=(0, 1)).reshape((side - 1) ** 2, -1)
    return _of_length_one(np.minimum(_of_length_one(blocks, 1.0), 0.2), 1e-6)


def _of_length_one(rows: np.ndarray, little: float) -> np.ndarray:
    """Each row of length one; a row that is short beside `little`, as of an even surface, stays short."""
    found: np.ndarray = rows / np.sqrt(np.square(rows).sum(axis=-1, keepdims=True) + little**2)
    return found
