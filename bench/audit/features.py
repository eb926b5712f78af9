"""What examples are compared and judged by where no model is asked: words of texts, pixels of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bench.data.scripts import unspaced

MOST_WORDS = 50_000
LOOK = 1000
"""Texts that are looked at to tell whether they are written with spaces."""
SIDE = 16
"""Pixels of the side to which an image is reduced."""
CHUNK = 500
"""Rows whose cosines with all others are in memory at a time."""


def as_text(value: Any) -> str:
    """An input as one text: a pair's two, a list of words, the turns of a conversation, joined by spaces."""
    if isinstance(value, str):
        return value
    return " ".join(part if isinstance(part, str) else str(part[-1]) for part in value)


def of_texts(texts: Sequence[str]) -> sparse.csr_matrix | None:
    """TF-IDF of words and pairs of words (characters where a script has no spaces), rows of length 1 or 0, float32.
    None where no text holds a word."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    unit = "char" if unspaced(texts[:LOOK]) else "word"
    # every word counts, "a" and "I" too: what differs by them is no duplicate
    vectors = TfidfVectorizer(
        analyzer=unit, ngram_range=(1, 2), max_features=MOST_WORDS, dtype=np.float32, token_pattern=r"(?u)\b\w+\b"
    )
    try:
        return sparse.csr_matrix(vectors.fit_transform(texts))
    except ValueError:
        return None


def of_images(images: Sequence[Any]) -> NDArray[np.float32]:
    """16 × 16 grey pixels less their mean, rows of length 1 or 0, float32 [n, 256]."""
    import PIL.Image

    found = []
    for image in images:
        grey = np.asarray(image.convert("L").resize((SIDE, SIDE), PIL.Image.Resampling.BILINEAR), dtype=np.float32)
        row = grey.ravel() - grey.mean()
        found.append(row / (np.linalg.norm(row) or 1.0))
    return np.stack(found)


def alike(features: Any, least: float) -> list[tuple[int, int, float]]:
    """Every pair of rows whose cosine is at least this, (i, j, cosine) with i < j, the most alike first. features: rows
    of length 1 or 0, dense or sparse [n, width]."""
    pairs: list[tuple[int, int, float]] = []
    for start in range(0, features.shape[0], CHUNK):
        found = features[start : start + CHUNK] @ features[start:].T
        found = sparse.coo_array(np.where(found >= least, found, 0)) if not sparse.issparse(found) else found.tocoo()
        keep = (found.data >= least) & (found.row < found.col)
        rows, columns = found.row[keep] + start, found.col[keep] + start
        pairs += zip(rows.tolist(), columns.tolist(), map(float, found.data[keep]), strict=True)
    return sorted(pairs, key=lambda pair: (-round(pair[2], 6), pair[0], pair[1]))
