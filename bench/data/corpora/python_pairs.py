"""English from the Python installation: how near are the things that two docstrings describe? A number from 0 to 3.

3: within the same top-level class or function, 2: in the same module, 1: in the same area of the standard library, as
`python-docs` has them, 0: in two areas. Each docstring of five words or more, cut to 60 and found once, begins one
pair; the hash of its text says how near the other is, or the next lower number there is one for. A top-level class or
function is of the pairs of `train` or of those of `test`, never of both.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING

from bench.data.corpora.python_docs import WORDS, Docstring, area, docstrings, tested

if TYPE_CHECKING:
    import datasets


def load() -> tuple[str, datasets.DatasetDict]:
    """A hash of the content, and the splits train and test with text, text_pair, value and cluster (the first
    text's unit)."""
    import datasets

    found = [doc._replace(text=" ".join(doc.text.split()[:WORDS])) for doc in docstrings() if area(doc.module)]
    counts = Counter(doc.text for doc in found)
    once = [doc for doc in found if counts[doc.text] == 1]
    splits = {
        split: _pairs([doc for doc in once if tested(doc.unit) == (split == "test")]) for split in ("train", "test")
    }
    units = {doc.text: doc.unit for doc in once}
    tables = {
        split: datasets.Dataset.from_dict(
            dict(zip(("text", "text_pair", "value"), zip(*rows, strict=True), strict=True))
            | {"cluster": [units[text] for text, _, _ in rows]}
        )
        for split, rows in splits.items()
    }
    return hashlib.sha256(json.dumps(splits).encode()).hexdigest(), datasets.DatasetDict(tables)


def _pairs(docs: list[Docstring]) -> list[tuple[str, str, float]]:
    """A pair for each, mixed as whoever takes the first few expects."""
    import numpy as np

    ordered = sorted((hashlib.sha256(doc.text.encode()).digest(), doc) for doc in docs)
    places = [(area(doc.module), doc.module, doc.unit) for _, doc in ordered]  # each within the one before it
    numbers = np.stack([np.unique(part, return_inverse=True)[1] for part in zip(*places, strict=True)], axis=1)
    pairs = []
    for row, (key, doc) in enumerate(ordered):
        number = int.from_bytes(key[:8], "big")
        shared = (numbers == numbers[row]).sum(axis=1)
        shared[row] = -1
        value = max(set(shared.tolist()) & set(range(number % 4 + 1)), default=0)
        others = np.flatnonzero(shared == value)
        if len(others):
            pairs.append((doc.text, ordered[others[number // 4 % len(others)]][1].text, float(value)))
    return pairs
