"""Per-class scores, confusion matrices and disagreements, as what the page's template shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.analysis.class_answers import TaskAnswers, class_answers, words
from bench.report import numbers
from bench.report.section import Section
from bench.report.table import Cell, Table, cells

MOST_CLASSES = 20
"""Of a table; the most frequent ones stand in it."""
MOST_EXAMPLES = 12
SHADES = 9
"""Classes of the style sheet that shade a confusion matrix."""


@dataclass(frozen=True)
class Confusion:
    """One regime's. rows: for each true class the share of each answer as text with its shade, 0 to `SHADES`."""

    regime: str
    seeds: int
    rows: list[tuple[str, list[tuple[str, int]]]]


@dataclass(frozen=True)
class Classes:
    """Of one task and model."""

    title: str
    names: list[str]
    left_out: int
    scores: Table
    confusions: list[Confusion]
    about: str
    disagreements: Table | None


def classes(section: Section) -> Iterator[Classes]:
    """For each task and model whose answers are classes and whose predictions are there."""
    several = len(section.results.environments) > 1
    for found in class_answers(section.results):
        own = section.how[(section.how["task"] == found.task) & (section.how["model"] == found.model)]
        known = next((value for value in own["classes"] if isinstance(value, list | dict)), None)
        count = found.regimes[0].confusion.shape[0]
        names = words(known, count)
        shown = np.sort(np.argsort(-found.regimes[0].confusion.sum(1), kind="stable")[:MOST_CLASSES])
        where = f", environment {found.environment}" if several else ""
        yield Classes(
            title=f"{found.task} with {found.model}, {found.size} labels{where}",
            names=[names[i] for i in shown],
            left_out=count - len(shown),
            scores=_scores(found, names, shown),
            confusions=list(_confusions(found, names, shown)),
            about=_about(found),
            disagreements=_disagreements(found, names),
        )


def _scores(found: TaskAnswers, names: Sequence[str], shown: NDArray[np.int64]) -> Table:
    each = {one.regime: one.per_class() for one in found.regimes}
    first = next(iter(each.values()))
    rows = []
    for index in shown:
        best = max(values[index, 2] for values in each.values())
        scores = [Cell(numbers.score(v[index, 2]), bold=bool(v[index, 2] == best)) for v in each.values()]
        rows.append([*cells(names[index], f"{first[index, 3]:.0f}"), *scores])
    return Table(
        "F1 of each class: means over seeds and templates of what was counted.",
        ["class", "test examples", *each],
        "lr" + "r" * len(each),
        rows,
    )


def _confusions(found: TaskAnswers, names: Sequence[str], shown: NDArray[np.int64]) -> Iterator[Confusion]:
    for one in found.regimes:
        rows = []
        for index in shown:
            total = one.confusion[index].sum()
            shares = [one.confusion[index, other] / total if total else 0.0 for other in shown]
            rows.append((names[index], [(f"{100 * share:.0f}", round(SHADES * share)) for share in shares]))
        yield Confusion(one.regime, one.seeds, rows)


def _about(found: TaskAnswers) -> str:
    if len(found.regimes) < 2:
        return ""
    whole, none, some = found.counts()
    total = whole + none + some
    return (
        f"Of {total:,} test examples all regimes get {whole:,} right and {none:,} wrong; on {some:,} it depends on the "
        "regime. Counted by the answer that a regime gives most often over its seeds and templates."
    )


def _disagreements(found: TaskAnswers, names: Sequence[str]) -> Table | None:
    if len(found.regimes) < 2:
        return None
    rows = []
    for one in found.disagreements(MOST_EXAMPLES):
        said = [
            Cell(
                names[answer] + (f" ({100 * share:.0f} %)" if share < 1 else ""),
                bold=answer == one.right,
            )
            for answer, share in zip(one.said, one.share, strict=True)
        ]
        rows.append([*cells(one.row, names[one.right]), *said])
    regimes = [regime.regime for regime in found.regimes]
    caption = "Examples that regimes answer differently, those first that split them most evenly. Bold: right."
    return Table(caption, ["row", "right", *regimes], "rl" + "l" * len(regimes), rows) if rows else None
