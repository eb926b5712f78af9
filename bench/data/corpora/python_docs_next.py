"""Which sentence comes next? English from the Python installation, four choices an example.

A docstring of `python-docs` with five sentences of 4 to 40 words or more gives an example for each but its first: the
sentence before it is the context, and three others of the same docstring are the wrong choices, so that its subject
tells nothing. Docstrings fall on the sides that they have there, so that what is pretrained on that corpus's
`unlabelled` has seen none of `test`; an example of `test` with a sentence that also stands in `train` is left out.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from bench.data.corpora import python_docs

if TYPE_CHECKING:
    import datasets

CHOICES = 4
LENGTHS = range(4, 41)


def load() -> tuple[str, datasets.DatasetDict]:
    """A hash of the content, and the splits train and test with context, choices, label and cluster (the
    top-level class or function that it is in). Raises DataError."""
    import datasets

    docstrings = list(python_docs.docstrings())
    splits = _splits(docstrings)
    units: dict[str, str] = {}
    for doc in docstrings:
        for sentence in _split(doc.text):
            units.setdefault(sentence, doc.unit)
    text = datasets.Value("string")
    label = datasets.Value("int64")
    features = datasets.Features({"context": text, "choices": datasets.List(text), "label": label, "cluster": text})
    tables = {
        split: datasets.Dataset.from_list([{**row, "cluster": units[row["context"]]} for row in rows], features)
        for split, rows in splits.items()
    }
    return hashlib.sha256(json.dumps(splits).encode()).hexdigest(), datasets.DatasetDict(tables)


def _splits(docstrings: list[python_docs.Docstring]) -> dict[str, list[dict[str, Any]]]:
    found = python_docs.split_up(docstrings)
    tested, seen = ({text for text, _ in found[split]} for split in ("test", "unlabelled"))
    documents: dict[str, dict[str, None]] = {"train": {}, "test": {}}
    for text in (docstring.text for docstring in docstrings):
        start = python_docs.cut(text)
        if start in seen or start in tested:
            documents["train" if start in seen else "test"][text] = None
    known = {python_docs.key_of(sentence) for text in documents["train"] for sentence in _sentences(text)}
    splits = {split: [row for text in texts for row in _examples(text)] for split, texts in documents.items()}
    splits["test"] = [
        row for row in splits["test"]
        if known.isdisjoint(python_docs.key_of(sentence) for sentence in (row["context"], *row["choices"]))
    ]  # fmt: skip
    for rows in splits.values():  # the documents mixed, as whoever takes the first few expects
        rows.sort(key=lambda row: _hash(json.dumps(row)))
    return splits


def _examples(text: str) -> Iterator[dict[str, Any]]:
    """One for each sentence but the first; a hash draws the wrong choices, and puts all in order."""
    sentences = _sentences(text)
    if len(sentences) <= CHOICES:
        return
    found = _split(text)
    for context, right in dict.fromkeys(itertools.pairwise(found)):
        if not {context, right} <= set(sentences) or context == right:
            continue
        others = [sentence for sentence in sentences if sentence not in (context, right)]
        wrong = sorted(others, key=lambda sentence: _hash(f"drawn {right} {sentence}"))[: CHOICES - 1]
        choices = sorted([right, *wrong], key=lambda sentence: _hash(f"placed {context} {sentence}"))
        yield {"context": context, "choices": choices, "label": choices.index(right)}


def _sentences(text: str) -> list[str]:
    """Each once, in order; headings, fragments and tables are no sentences."""
    return list(dict.fromkeys(sentence for sentence in _split(text) if len(sentence.split()) in LENGTHS))


def _split(text: str) -> list[str]:
    return re.split(r"(?<=[.!?])\s+(?=[A-Z])", text)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
