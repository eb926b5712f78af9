"""The strength of a linear model's penalty, chosen by cross-validation within a trial, from all labels it may see."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from bench import plugins
from bench.contracts import Choice, Context, Part
from bench.data.seeding import ranks
from bench.training.one_standard_error import STEP, Outcome, choose
from bench.training.validation_parts import pseudo_values

FOLDS = 5
ITERATIONS = 200
"""Of the solver, at most: enough to compare by, where the model itself is solved further."""
MANY = 2000
"""Labels from which on one fifth, held out once, tells as well as all five in turn."""


def labels_in_all(context: Context) -> Part:
    """The train and the validation part together, where both are of the training split; else the train part."""
    train, held_out = context.parts["train"], context.parts["validation"]
    if held_out.split != train.split:
        return train
    join = np.concatenate
    return Part(
        train.split, join([train.indices, held_out.indices]), join([train.labels, held_out.labels]),
        train.wrong + held_out.wrong,
    )  # fmt: skip


def path(low: float, high: float) -> tuple[float, ...]:
    """Values √10 apart from `low` to `high`, or as near to that as fits."""
    steps = max(1, round(math.log(high / low) / math.log(STEP)))
    return tuple(float(f"{low ** (1 - i / steps) * high ** (i / steps):.4g}") for i in range(steps + 1))


def best_c(context: Context, part: Part, features: Any, low: float, high: float, iterations: int) -> Choice:
    """The C of the linear model that is chosen by five-fold cross-validation, by the rule by which every regime's
    hyperparameter is (`one_standard_error`), from the bounds' geometric mean on. What answers every example alike is
    not chosen.

    features: [n, width], a row for each example of the part, dense or sparse.
    """
    values, start = path(low, high), math.sqrt(low * high)
    metrics, folds = context.metrics, list(_folds(context, part))
    if not folds:
        nearest = min(values, key=lambda value: abs(math.log(value / start)))
        return Choice("C", nearest, values, False, {}, [])
    asked = np.concatenate([out for _, out in folds])
    targets = context.objective.targets(context, _rows(part, asked))
    sign = 1 if plugins.load("metrics", metrics[0]).HIGHER_IS_BETTER else -1
    scores: list[dict[str, float]] = []
    parts: list[list[float]] = []
    outcomes: list[list[Outcome | None]] = []
    for C in values:
        answers = _out_of_fold(context, part, features, folds, C, min(iterations, ITERATIONS))
        scores.append({metric: float(plugins.load("metrics", metric).score(targets, answers[0])) for metric in metrics})
        parts.append(pseudo_values(metrics[0], targets, answers))
        useless = context.objective.constant(answers) or not np.isfinite(scores[-1][metrics[0]])
        outcomes.append([None if useless else Outcome(sign * scores[-1][metrics[0]], sign * np.array(parts[-1]))])
    chosen, on_edge = choose(values, start, outcomes)
    return Choice("C", values[chosen], values, on_edge, scores[chosen], parts[chosen])


def _out_of_fold(
    context: Context, part: Part, features: Any, folds: list[tuple[np.ndarray, np.ndarray]], C: float, iterations: int
) -> np.ndarray:
    """[1, n]: answers to each example by a model that did not learn from it."""
    found = []
    for train, out in folds:
        solved = context.objective.solve(context, _rows(part, train), features[train], C, iterations)
        found.append(solved.answers(features[out]))
        context.tick("train", 0, None)
    return np.concatenate(found, axis=1)


def _rows(part: Part, rows: np.ndarray) -> Part:
    return Part(part.split, part.indices[rows], part.labels[rows])


def _folds(context: Context, part: Part) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(rows to learn from, rows held out), stratified by class where there are classes; none for fewer than two
    examples."""
    count = len(part.indices)
    rank = ranks(context.trial.seed, "folds", count)
    classes = part.labels if context.objective.TARGETS == "classes" else np.zeros(count, dtype=np.int64)
    fold = np.empty(count, dtype=np.int64)
    fold[np.lexsort((rank, classes))] = np.arange(count) % FOLDS
    for one in range(1 if count > MANY else FOLDS):
        out = fold == one
        if out.any() and not out.all():
            yield np.flatnonzero(~out), np.flatnonzero(out)
