"""Linear models choose the strength of their penalty within a trial; what tuning cost and would have brought."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import plugins
from bench.analysis.tuning import expected_best
from bench.contracts import Part
from bench.training.cross_validation import best_c, labels_in_all, path
from bench.training.validation_parts import pseudo_values


def context(labels: np.ndarray, held_out: int = 0, classes: int = 2) -> Any:
    """As much of a trial's context as a linear model asks."""
    rows = np.arange(len(labels))
    parts = {
        "train": Part("train", rows[held_out:], labels[held_out:]),
        "validation": Part("train", rows[:held_out], labels[:held_out]),
    }
    return SimpleNamespace(
        parts=parts, labels=[str(i) for i in range(classes)], objective=plugins.load("objectives", "classes"),
        trial=SimpleNamespace(seed=0), metrics=["accuracy"], tick=lambda *_: None,
    )  # fmt: skip


def test_a_probe_of_few_unbalanced_labels_does_not_answer_one_class() -> None:
    """Tuned over [1e-5, 10] by a few trials it answered the majority class."""
    random = np.random.default_rng(0)
    labels = (random.random(64) < 0.35).astype(np.int64)
    features = random.normal(size=(64, 20))
    features[:, 0] += 4 * labels - 2
    found = context(labels)
    choice = best_c(found, found.parts["train"], features, 1e-6, 10.0, 200)
    solved = found.objective.solve(found, found.parts["train"], features, choice.value, 200)
    assert not found.objective.constant(solved.answers(features))
    assert choice.scores["accuracy"] > 0.7
    assert len(choice.parts) == 40
    assert np.mean(choice.parts) == pytest.approx(choice.scores["accuracy"], abs=0.01)


def test_all_labels_of_the_budget_are_learnt_from() -> None:
    found = context(np.array([0, 1] * 10), held_out=4)
    part = labels_in_all(found)
    assert sorted(part.indices.tolist()) == list(range(20))
    assert (part.labels == np.array([0, 1] * 10)[part.indices]).all()


@pytest.mark.parametrize("labels", [[0], [0, 1], [0, 0, 0, 0]])
def test_too_few_labels_to_choose_by_take_the_middle(labels: list[int]) -> None:
    found = context(np.array(labels))
    features = np.random.default_rng(0).normal(size=(len(labels), 3))
    choice = best_c(found, found.parts["train"], features, 1e-3, 10.0, 100)
    assert choice.value == pytest.approx(0.1)
    assert not choice.on_edge


def test_the_path_is_fine_and_has_the_middle() -> None:
    assert path(1e-3, 10.0) == pytest.approx([1e-3, 3.162e-3, 1e-2, 3.162e-2, 0.1, 0.3162, 1, 3.162, 10], rel=1e-3)


@given(st.integers(2, 200), st.integers(0, 5))
def test_pseudo_values_have_the_score_as_their_mean(count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    targets = random.integers(0, 3, count)
    answers = np.log(random.dirichlet([1, 1, 1], size=count))
    parts = pseudo_values("accuracy", targets, answers[None])
    assert len(parts) == min(count, 40)
    score = plugins.load("metrics", "accuracy").score(targets, answers)
    if count % len(parts) == 0:
        assert np.mean(parts) == pytest.approx(score, abs=1e-6)
    others = pseudo_values("macro-f1", targets, answers[None])  # no mean over examples
    assert len(others) in (0, len(parts))


def test_expected_best_is_the_mean_over_all_draws() -> None:
    scores = [0.2, 0.9, 0.4]
    for draws in (1, 2, 3):
        wanted = np.mean([max(one) for one in itertools.product(scores, repeat=draws)])
        assert expected_best(scores)[draws - 1] == pytest.approx(wanted)
        lowest = np.mean([min(one) for one in itertools.product(scores, repeat=draws)])
        assert expected_best(scores, lower=True)[draws - 1] == pytest.approx(lowest)
    assert expected_best([0.2, float("nan")]).tolist() == [0.2, 0.2]
    assert np.isnan(expected_best([float("nan")])).all()
