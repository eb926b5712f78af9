"""What a task's data are like, for whoever is about to learn from them: counts, and what they may not know of."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bench.data.examples import Examples
from bench.data.scripts import unspaced
from bench.suite.trial import Json

VERSION = 3
"""Of what is kept in the cache."""
LOOK = 1000
"""Texts that are looked at to tell whether they are written with spaces."""
SHOWN = 3
MISSING = frozenset(("nan", "none", "null", "n/a", "na", "#n/a", "<na>"))
"""What programs write where a value is missing."""


def describe(
    kind: Any,
    words: Sequence[str],
    examples: Mapping[str, Examples],
    rows: Mapping[str, np.ndarray],
    keys: Mapping[str, Sequence[bytes]],
    dropped: int,
) -> Json:
    """`summary` of a task's entry in the lock. kind: the task kind's plugin; words: the labels; rows: by split, those
    that are used; keys: by split, a digest of each input; dropped: leaks into the test split."""
    classes = _classes(kind, words, examples, rows)
    repeated, contradicting = _repeated(kind, examples["train"], rows["train"], keys["train"])
    told: Json = {"rows": {split: len(found) for split, found in rows.items()}}
    texts = {}
    if kind.MODALITY == "text":
        texts = {split: [_texts(found.inputs[row]) for row in rows[split]] for split, found in examples.items()}
    if classes:
        told["classes"] = classes
    if texts:
        told["lengths"] = _lengths(texts["train"], tokens=kind.OBJECTIVE == "tags")
    told["duplicates"] = {"train": repeated, "contradicting": contradicting, "leaks": dropped}
    also = _common(rows, keys, "train", "validation") if "validation" in rows else 0
    told["remarks"] = [
        *_of_classes(classes), *_of_repeats(repeated, contradicting, also, told["rows"]["train"], "validation" in rows),
        *_of_texts(texts, kind),
    ]  # fmt: skip
    return told


def _classes(
    kind: Any, words: Sequence[str], examples: Mapping[str, Examples], rows: Mapping[str, np.ndarray]
) -> dict[str, dict[str, int]]:
    """{label: {split: how many examples have it}}; {} for a task without."""
    counts = {}
    for split, found in examples.items():
        if kind.OBJECTIVE == "label-sets":
            counts[split] = np.sum([(found.targets or ())[row] for row in rows[split]], axis=0)
        elif kind.OBJECTIVE == "classes":
            counts[split] = np.bincount(found.labels[rows[split]], minlength=len(words))
    return {word: {split: int(found[n]) for split, found in counts.items()} for n, word in enumerate(words) if counts}


def _repeated(kind: Any, found: Examples, rows: np.ndarray, keys: Sequence[bytes]) -> tuple[int, int]:
    """How many examples, of those that are not empty, repeat an earlier one; how many inputs have several labels."""
    answers: dict[bytes, set[Any]] = {}
    full = rows.tolist()
    if kind.MODALITY == "text":
        full = [row for row in full if any(text.strip() for text in _texts(found.inputs[row]))]
    for row in full:
        label = tuple((found.targets or ())[row]) if kind.OBJECTIVE == "label-sets" else int(found.labels[row])
        answers.setdefault(keys[row], set()).add(label)
    labelled = kind.OBJECTIVE in ("classes", "label-sets")
    return len(full) - len(answers), sum(len(labels) > 1 for labels in answers.values()) if labelled else 0


def _common(rows: Mapping[str, np.ndarray], keys: Mapping[str, Sequence[bytes]], one: str, other: str) -> int:
    """How many examples of one split also stand in another."""
    known = {keys[other][row] for row in rows[other]}
    return sum(keys[one][row] in known for row in rows[one])


def _texts(value: Any) -> list[str]:
    """The texts of an input: one, two, words, or turns of a conversation."""
    if isinstance(value, str):
        return [value]
    return [part if isinstance(part, str) else str(part[-1]) for part in value] if isinstance(value, Sequence) else []


def _lengths(texts: Sequence[Sequence[str]], *, tokens: bool) -> Json:
    """In words, in characters where a script has no spaces between them; tokens: whether the texts are divided."""
    joined = [" ".join(parts) for parts in texts]
    unit = "characters" if not tokens and unspaced(joined[:LOOK]) else "words"
    lengths = [len(parts) for parts in texts]
    if not tokens:
        lengths = [len(text if unit == "characters" else text.split()) for text in joined]
    middle, most = np.percentile(lengths, [50, 95])
    return {"unit": unit, "median": int(middle), "p95": int(most), "longest": int(max(lengths))}


def _of_classes(classes: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    alike: dict[Any, list[str]] = {}
    for word in classes:
        alike.setdefault(_plain(word), []).append(word)
    for words in alike.values():
        if len(words) > 1:
            yield f"the labels {' and '.join(map(repr, words))} are classes of their own; are they meant as one?"
    if odd := [word for word in classes if word.strip().casefold() in {*MISSING, ""}]:
        yield f"the label {odd[0]!r} may stand for a missing one"
    for split in ("train", "validation", "test"):
        if none := [word for word, counts in classes.items() if counts.get(split) == 0]:
            yield f"no example of {split} has the label{'s' * (len(none) > 1)} {listed(none)}"


def _plain(word: str) -> Any:
    """Equal for labels that a reader takes for one: `bad `, `Bad` and `bad`; `01`, `1` and `1.0`."""
    text = " ".join(unicodedata.normalize("NFKC", word).casefold().split())
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _of_repeats(repeated: int, contradicting: int, also: int, count: int, full: bool) -> Iterator[str]:
    if repeated:
        straddle = "" if full else ", so what is held out for validation may also be learnt from"
        found = _count(repeated, "training example repeats", "training examples repeat")
        yield f"{found} another (of {count:,}){straddle}"
    if contradicting:
        yield f"{_count(contradicting, 'input stands', 'inputs stand')} in train with different labels"
    if also:
        yield f"{_count(also, 'training example also stands', 'training examples also stand')} in the validation split"


def _of_texts(texts: Mapping[str, Sequence[Sequence[str]]], kind: Any) -> Iterator[str]:
    for split, found in texts.items():
        empty = sum(not all(part.strip() for part in parts) for parts in found)
        if empty and kind.OBJECTIVE not in ("likelihoods", "tags"):
            yield f"{_count(empty, 'text', 'texts')} of {split} {'is' if empty == 1 else 'are'} empty"
        words = Counter(parts[0].strip() for parts in found if parts and parts[0].strip().casefold() in MISSING)
        if words and kind.OBJECTIVE != "tags":
            yield (
                f"{_count(words.total(), 'text', 'texts')} of {split} {'is' if words.total() == 1 else 'are'} "
                f"{listed(list(words))}, as programs write what is missing"
            )


def listed(words: Sequence[str]) -> str:
    """The first few of them, in quotes."""
    more = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return ", ".join(map(repr, words[:SHOWN])) + more


def _count(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"
