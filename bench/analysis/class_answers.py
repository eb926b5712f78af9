"""Which classes each regime tells apart, and the examples that regimes answer differently, from stored predictions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench.analysis import outcomes
from bench.analysis.frame import size_order
from bench.analysis.results import Place, Results
from bench.errors import StoreError
from bench.store import paths
from bench.store.record import Record

MOST_CLASSES = 1000
"""Of more, nothing is told."""


@dataclass(frozen=True)
class Answers:
    """What one regime answered. confusion: [K, K], true × answered, a mean over seeds and templates; examples: [N];
    rows: [N], where each stands in its data; right: [N], its class; said: [N], the class most often answered over seeds
    and templates; share: [N], how often."""

    regime: str
    seeds: int
    confusion: NDArray[np.float64]
    examples: NDArray[np.int64]
    rows: NDArray[np.int64]
    right: NDArray[np.int64]
    said: NDArray[np.int64]
    share: NDArray[np.float64]

    def per_class(self) -> NDArray[np.float64]:
        """Precision, recall, F1 and support of each class, [K, 4]; what is undefined is 0, as scikit-learn has it."""
        hits = np.diag(self.confusion)
        answered, support = self.confusion.sum(0), self.confusion.sum(1)
        precision = np.divide(hits, answered, out=np.zeros_like(hits), where=answered > 0)
        recall = np.divide(hits, support, out=np.zeros_like(hits), where=support > 0)
        both = precision + recall
        f1 = np.divide(2 * precision * recall, both, out=np.zeros_like(hits), where=both > 0)
        return np.stack([precision, recall, f1, support], axis=1)


@dataclass(frozen=True)
class Disagreement:
    """One example: its row, its class, and each regime's answer with how often it gave it, in the regimes' order."""

    row: int
    right: int
    said: tuple[int, ...]
    share: tuple[float, ...]


@dataclass(frozen=True)
class TaskAnswers:
    """Of one task, model and environment, at its largest size with the fewest labels wrong."""

    task: str
    model: str
    environment: str
    size: int | str
    regimes: list[Answers]

    def common(self) -> NDArray[np.int64]:
        """Examples that every regime answered."""
        found = self.regimes[0].examples
        for one in self.regimes[1:]:
            found = np.intersect1d(found, one.examples)
        return found

    def counts(self) -> tuple[int, int, int]:
        """How many examples all regimes get right, all get wrong, and only some get right, by their usual answer."""
        right = np.stack([(one.said == one.right)[self._at(one)] for one in self.regimes])
        whole, none = right.all(0), ~right.any(0)
        return int(whole.sum()), int(none.sum()), int((~whole & ~none).sum())

    def disagreements(self, most: int) -> list[Disagreement]:
        """Examples that regimes answer differently: first those that split them most evenly, of these those on which
        each is surest."""
        at = [self._at(one) for one in self.regimes]
        said = np.stack([one.said[i] for one, i in zip(self.regimes, at, strict=True)])
        share = np.stack([one.share[i] for one, i in zip(self.regimes, at, strict=True)])
        first = self.regimes[0]
        rows, right = first.rows[at[0]], first.right[at[0]]
        differ = np.flatnonzero((said != said[0]).any(0))
        wrong = (said != right).sum(0)
        even = np.minimum(wrong, len(said) - wrong)
        order = sorted(differ, key=lambda i: (-int(even[i]), -float(share[:, i].mean().round(9)), int(rows[i])))
        return [
            Disagreement(int(rows[i]), int(right[i]), tuple(map(int, said[:, i])), tuple(map(float, share[:, i])))
            for i in order[:most]
        ]

    def _at(self, one: Answers) -> NDArray[np.int64]:
        return np.searchsorted(one.examples, self.common()).astype(np.int64)


def class_answers(results: Results) -> Iterator[TaskAnswers]:
    """For each task and model whose answers are classes. What is damaged is left out: `bench check` names it."""
    groups: dict[tuple[str, str], list[Place]] = {}
    for place in results.places:
        groups.setdefault((place.cell["task"], place.cell["model"]), []).append(place)
    for (task, model), own in groups.items():
        ran = [place for place in own if any(r["status"] == "ok" for r in place.attempts)]
        labelled = [place for place in ran if place.cell["size"] != 0]
        if not labelled:
            continue
        size = max((place.cell["size"] for place in labelled), key=size_order)
        noise = min(place.cell["noise"] for place in labelled if place.cell["size"] == size)
        wanted = [p for p in ran if p.cell["size"] == 0 or (p.cell["size"], p.cell["noise"]) == (size, noise)]
        for environment in dict.fromkeys(place.environment for place in wanted):
            at = (place for place in wanted if place.environment == environment)
            found = [one for place in at if (one := _answers(results, place)) is not None]
            if found and len({one.confusion.shape for one in found}) == 1:
                yield TaskAnswers(task, model, environment, size, found)


def _answers(results: Results, place: Place) -> Answers | None:
    tables = [t for record in place.attempts if record["status"] == "ok" and (t := _read(results, record)) is not None]
    if not tables or len({table[3] for table in tables}) > 1:
        return None
    count = tables[0][3]
    examples, index = np.unique(np.concatenate([t[0] for t in tables]), return_inverse=True)
    rows, right = np.zeros(len(examples), np.int64), np.zeros(len(examples), np.int64)
    said = np.concatenate([t[2] for t in tables])
    truth = np.concatenate([t[1] for t in tables])
    rows[index], right[index] = np.concatenate([t[4] for t in tables]), truth
    votes = np.zeros((len(examples), count))
    np.add.at(votes, (index, said), 1.0)
    confusion = np.zeros((count, count))
    weight = len(examples) / len(said)
    np.add.at(confusion, (truth, said), weight)
    usual = votes.argmax(1)
    share = votes.max(1) / votes.sum(1)
    return Answers(place.cell["regime"], len(tables), confusion, examples, rows, right, usual.astype(np.int64), share)


def _read(results: Results, record: Record) -> tuple[Any, ...] | None:
    """Examples, classes, answers, how many classes there are, and rows; None where a file has no such thing."""
    try:
        path = paths.predictions(results.folder, record["trial"]["id"], str(record.get("attempt")))
        table = outcomes.table(path)
        if not {"example", "label", "log_probabilities"} <= set(table.column_names):
            return None
        lists = table["log_probabilities"].combine_chunks()
        values = lists.flatten().to_numpy(zero_copy_only=False)
        truth = table["label"].to_numpy().astype(np.int64)
        count = len(values) // max(1, len(truth))
        if not len(truth) or count * len(truth) != len(values) or not 2 <= count <= MOST_CLASSES:
            return None
        if (np.diff(lists.offsets.to_numpy()) != count).any() or truth.min() < 0 or truth.max() >= count:
            return None
        examples = table["example"].to_numpy().astype(np.int64)
        rows = table["row"].to_numpy().astype(np.int64) if "row" in table.column_names else examples
        return examples, truth, values.reshape(-1, count).argmax(1).astype(np.int64), count, rows
    except (OSError, StoreError, ValueError, TypeError, pa.ArrowException):
        return None


def words(classes: Any, count: int) -> Sequence[str]:
    """What classes are called; their numbers where nobody says. classes: a list, or {value: word}, of a record."""
    found = list(classes.values()) if isinstance(classes, dict) else classes
    return (
        [str(word) for word in found]
        if isinstance(found, list) and len(found) == count
        else list(map(str, range(count)))
    )
