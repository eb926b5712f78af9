"""The audit of one task's data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from bench.audit import features
from bench.audit.confident import suspicious
from bench.audit.probe import out_of_fold
from bench.data.content import digest
from bench.data.examples import Examples
from bench.suite.trial import Json
from bench.trial.task_data import TaskData, task_of

NEAR = {"text": 0.9, "image": 0.99}
"""From which cosine on two inputs are near duplicates: of TF-IDF of words, or of 16 × 16 grey pixels."""
SHOWN_TEXT = 200
LABELLED = ("classes", "label-sets")
"""The objectives whose answers are judged."""
MOST_PAIRS = 1000
"""Near duplicates that are kept; the count is of all."""


@dataclass(frozen=True)
class Suspect:
    """A training example whose label the others contradict. row: in the split of the data set; given, suggested: labels
    by name (of a multi-label task one label, with or without "not"); probability: of the suggested one, out of fold."""

    row: int
    input: str
    given: str
    suggested: str
    probability: float


@dataclass(frozen=True)
class Near:
    """Two inputs that are nearly alike: split and row of each, their cosine, and whether their labels differ."""

    a: tuple[str, int]
    b: tuple[str, int]
    cosine: float
    inputs: tuple[str, str]
    contradicting: bool


@dataclass
class Audit:
    """One task. rows: how many examples a split has; looked_at: of train and test, how many near duplicates and labels
    were looked for among (the first by a hash where that is fewer); classes: {label: {split: how many}}, empty where
    the answers are neither classes nor sets of labels; summary: what the lock tells (exact duplicates, leaks, lengths,
    remarks); suspects: suspicious labels among `looked_at` training examples, None where not looked for; longer: by
    split, how many texts are surely cut, None where nobody can tell; unlooked: what was not looked at, and why."""

    task: str
    kind: str
    features: Literal["tf-idf", "pixels"] | str
    rows: dict[str, int]
    looked_at: dict[str, int]
    classes: dict[str, dict[str, int]]
    summary: Json
    suspects: list[Suspect] | None = None
    near: list[Near] | None = None
    near_count: dict[str, int] = field(default_factory=dict)
    longer: dict[str, int] | None = None
    max_length: int | None = None
    unlooked: list[str] = field(default_factory=list)

    @property
    def suspicious_share(self) -> float | None:
        """The part of the labels looked at that is suspicious: an estimate of how many are wrong."""
        return None if self.suspects is None else len(self.suspects) / max(self.looked_at.get("train", 0), 1)

    @property
    def majority(self) -> float | None:
        """The part of the training examples that have the most frequent label."""
        counts = [one.get("train", 0) for one in self.classes.values()]
        return max(counts) / self.rows["train"] if counts and self.rows.get("train") else None


def audit(name: str, data: TaskData, most: int, model: Mapping[str, Any] | None = None) -> Audit:
    """Look at a task's train and test splits. most: examples of each among which near duplicates and suspicious labels
    are looked for. model: {"name", "train": pooled features of the whole split, float32 [n, width]}, by which labels
    are then judged, in place of words or pixels. Raises DataError."""
    kind, parameters = task_of(data.task)
    rows = {split: len(found) for split, found in data.labels.items()}
    chosen = {split: _sample(data, split, most) for split in ("train", "test")}
    said = Audit(
        name, data.task["kind"], "tf-idf" if kind.MODALITY == "text" else "pixels", rows,
        {split: len(found) for split, found in chosen.items()}, data.summary.get("classes", {}), data.summary,
    )  # fmt: skip
    own = _features(said, kind.MODALITY, data, chosen)
    if own is not None:
        _near(said, kind, data, chosen, own)
    judged = None if own is None else own[: len(chosen["train"])]
    if model is not None:
        said.features, judged = str(model["name"]), _unit(np.asarray(model["train"])[chosen["train"]])
    _labels(said, kind.OBJECTIVE, parameters.words(), data, chosen["train"], judged)
    _lengths(said, kind.MODALITY, parameters, data, chosen)
    return said


def _sample(data: TaskData, split: str, most: int) -> np.ndarray:
    """Up to so many places in a split, in order: those whose inputs' hashes are the lowest."""
    count = len(data.labels[split])
    if count <= most:
        return np.arange(count)
    inputs = data.examples(split).inputs
    keys = [digest(inputs[place]) for place in range(count)]
    return np.sort(np.array(sorted(range(count), key=keys.__getitem__)[:most], dtype=np.int64))


def _features(said: Audit, modality: str, data: TaskData, chosen: Mapping[str, np.ndarray]) -> Any:
    """Of train and then test, rows of length 1; None where there is no way, which is then said."""
    inputs = [data.examples(split).inputs[int(place)] for split, places in chosen.items() for place in places]
    if modality == "text":
        found = features.of_texts([features.as_text(one) for one in inputs])
        if found is None:
            said.unlooked.append("near duplicates and labels: no text holds a word")
        return found
    if modality == "image":
        return features.of_images(inputs)
    said.unlooked.append(f"near duplicates and labels: nothing here compares inputs of kind {modality}")
    return None


def _near(said: Audit, kind: Any, data: TaskData, chosen: Mapping[str, np.ndarray], own: Any) -> None:
    split = np.repeat(np.array(["train", "test"]), [len(chosen["train"]), len(chosen["test"])])
    place = np.concatenate([chosen["train"], chosen["test"]])
    pairs = features.alike(own, NEAR[kind.MODALITY])
    labelled = kind.OBJECTIVE in LABELLED
    said.near, counts = [], {"train": 0, "test": 0, "overlap": 0, "contradicting": 0}
    for i, j, cosine in pairs:
        sides = [(str(split[k]), int(place[k])) for k in (i, j)]
        contradicting = labelled and _label(data, *sides[0]) != _label(data, *sides[1])
        counts["overlap" if split[i] != split[j] else str(split[i])] += 1
        counts["contradicting"] += contradicting
        if len(said.near) < MOST_PAIRS:
            shown = [_shown(data.examples(s), p) for s, p in sides]
            a, b = ((s, int(data.rows[s][p])) for s, p in sides)
            said.near.append(Near(a, b, round(cosine, 6), (shown[0], shown[1]), contradicting))
    said.near_count = counts


def _label(data: TaskData, split: str, place: int) -> Any:
    targets = data.examples(split).targets
    return int(data.labels[split][place]) if targets is None else tuple(np.asarray(targets[place]).tolist())


def _shown(examples: Examples, place: int) -> str:
    value = examples.inputs[place]
    if hasattr(value, "convert"):
        return f"{value.size[0]} × {value.size[1]} image"
    text = " ".join(features.as_text(value).split())
    return text if len(text) <= SHOWN_TEXT else text[: SHOWN_TEXT - 1] + "…"


def _unit(values: np.ndarray) -> np.ndarray:
    """Features as a probe takes them well: each column less its mean, over its standard deviation."""
    spread = values.std(axis=0)
    found: np.ndarray = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return found


def _labels(said: Audit, objective: str, words: list[str], data: TaskData, chosen: np.ndarray, judged: Any) -> None:
    if objective not in LABELLED:
        said.unlooked.append(
            f"whether answers are right, balanced or contradict each other: they are {objective}, and none but classes "
            "and sets of labels are judged"
        )
        return
    if judged is None:
        return
    if objective == "classes":
        columns = [(data.labels["train"][chosen].astype(np.int64), words)]
    else:
        sets = np.array([data.examples("train").targets[place] for place in chosen], dtype=np.int64)  # type: ignore[index]
        columns = [(sets[:, n], [f"not {word}", word]) for n, word in enumerate(words)]
    said.suspects = []
    for labels, named in columns:
        if min(np.unique(labels, return_counts=True)[1], default=0) == len(labels) or len(labels) < 4:
            continue  # all alike: nothing contradicts anything
        probabilities = out_of_fold(judged, labels, len(named))
        for place in suspicious(labels, probabilities).tolist():
            row, better = int(chosen[place]), int(probabilities[place].argmax())
            said.suspects.append(Suspect(
                int(data.rows["train"][row]), _shown(data.examples("train"), row), named[labels[place]], named[better],
                round(float(probabilities[place, better]), 6),
            ))  # fmt: skip
    if objective == "label-sets":
        said.suspects.sort(key=lambda one: -one.probability)


def _lengths(said: Audit, modality: str, parameters: Any, data: TaskData, chosen: Mapping[str, np.ndarray]) -> None:
    said.max_length = getattr(parameters, "max_length", None)
    if modality != "text" or said.max_length is None:
        if modality == "text":
            said.unlooked.append("lengths: the task cuts its texts in a way of its own")
        return
    said.longer = {}
    for split, places in chosen.items():
        inputs = data.examples(split).inputs
        lengths = [len(features.as_text(inputs[int(place)]).split()) for place in places]
        said.longer[split] = int((np.array(lengths) > said.max_length).sum())
