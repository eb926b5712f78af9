"""Metrics of classes against their definitions, and what every metric owes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss
from tiny_models import tiny_bert

from bench import plugins

accuracy, brier, macro_f1, matthews = (
    plugins.load("metrics", name) for name in ("accuracy", "brier", "macro-f1", "matthews")
)
calibration_error = plugins.load("metrics", "calibration-error")


def answers(predictions: list[int], classes: int, sure: float = 0.8) -> np.ndarray:
    return np.log(np.maximum(np.eye(classes)[predictions] * sure + (1 - sure) / classes, 1e-12))


def by_hand_f1(labels: list[int], predictions: list[int], classes: int) -> float:
    pairs = list(zip(labels, predictions, strict=True))
    total = 0.0
    for c in range(classes):
        hit = sum(label == c == guess for label, guess in pairs)
        named = sum(label == c for label, _ in pairs) + sum(guess == c for _, guess in pairs)
        total += 2 * hit / named if named else 0
    return total / classes


def test_accuracy_is_the_mean_of_its_outcomes() -> None:
    labels = np.array([0, 1, 2, 2])
    given_answers = answers([0, 2, 2, 1], 3)
    assert accuracy.outcomes(labels, given_answers).tolist() == [1, 0, 1, 0]
    assert accuracy.score(labels, given_answers) == 0.5


@settings(deadline=None)  # the first call imports scikit-learn
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_macro_f1_counts_every_class_of_the_task(pairs: list[tuple[int, int]]) -> None:
    labels, predictions = [list(side) for side in zip(*pairs, strict=True)]
    assert macro_f1.score(np.array(labels), answers(predictions, 4)) == pytest.approx(
        by_hand_f1(labels, predictions, 4)
    )


def test_macro_f1_of_a_class_nobody_names_is_zero() -> None:
    assert macro_f1.score(np.array([0, 0]), answers([0, 0], 2)) == 0.5


def test_matthews_by_hand() -> None:
    labels, predictions = np.array([1, 1, 1, 0, 0]), [1, 1, 0, 0, 1]  # TP 2, TN 1, FP 1, FN 1
    assert matthews.score(labels, answers(predictions, 2)) == pytest.approx((2 * 1 - 1 * 1) / math.sqrt(3 * 3 * 2 * 2))


def test_matthews_of_one_answer_for_all_is_zero_without_a_warning() -> None:
    assert matthews.score(np.array([1, 1, 0]), answers([1, 1, 1], 2)) == 0


def test_brier_of_two_classes_is_twice_scikit_learns() -> None:
    rates = np.array([0.9, 0.2, 0.5, 0.0])
    found = np.log(np.maximum(np.stack([1 - rates, rates], axis=1), 1e-12))
    labels = np.array([1, 1, 0, 1])
    assert brier.score(labels, found) == pytest.approx(2 * brier_score_loss(labels, rates))


def test_brier_by_hand() -> None:
    given_answers = np.log([[0.7, 0.2, 0.1], [0.25, 0.25, 0.5]])
    first, second = 0.3**2 + 0.2**2 + 0.1**2, 0.25**2 + 0.75**2 + 0.5**2
    assert brier.outcomes(np.array([0, 1]), given_answers).tolist() == pytest.approx([first, second])


def by_hand_calibration(labels: list[int], probabilities: np.ndarray) -> float:
    total = 0.0
    for b in range(15):
        inside = [i for i, row in enumerate(probabilities) if b / 15 < row.max() <= (b + 1) / 15]
        if inside:
            right = sum(probabilities[i].argmax() == labels[i] for i in inside) / len(inside)
            confidence = sum(probabilities[i].max() for i in inside) / len(inside)
            total += len(inside) / len(labels) * abs(right - confidence)
    return total


@given(st.lists(st.tuples(st.integers(0, 2), st.lists(st.floats(0.01, 1), min_size=3, max_size=3)), min_size=1))
def test_calibration_error_bin_by_bin(rows: list[tuple[int, list[float]]]) -> None:
    labels, weights = [row[0] for row in rows], np.array([row[1] for row in rows])
    found = np.log(weights / weights.sum(axis=1, keepdims=True))
    expected = by_hand_calibration(labels, np.exp(found))
    assert calibration_error.score(np.array(labels), found) == pytest.approx(expected, abs=1e-12)


def test_calibration_error_counts_rounding_above_one_as_one() -> None:
    certain = np.array([[1e-7, -30.0], [0.0, -30.0]], dtype=np.float32)
    assert calibration_error.score(np.array([0, 1]), certain) == pytest.approx(0.5, abs=1e-6)


JUDGED: dict[str, tuple[Any, Any, Any]] = {
    "classes": (np.array([0, 1, 2, 1]), answers([0, 1, 2, 1], 3, 1), answers([1, 2, 0, 0], 3, 1)),
    "tags": ([["B-A", "I-A", "O"], ["O"]], [["B-A", "I-A", "O"], ["O"]], [["O", "O", "B-B"], ["B-A"]]),
    "texts": (
        [["a cat sat on the mat", "x"], ["今天天气很好"], ["over the long quiet hills we ran"]],
        ["a cat sat on the mat", "今天天气很好", "over the long quiet hills we ran"],
        ["zzz", "", "jjj"],
    ),
    "values": (np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0])),
    "label-sets": (np.eye(3, dtype=np.int8)[[0, 1, 1, 2]], np.eye(3)[[0, 1, 1, 2]], 1 - np.eye(3)[[0, 1, 1, 2]]),
    "masks": (
        np.array([[3, 5], [7, 0]]),
        np.array([[[3, 0, 0], [0, 5, 0]], [[7, 0, 0], [0, 0, 0]]]),
        np.array([[[0, 3, 0], [4, 0, 1]], [[0, 5, 2], [0, 0, 0]]]),
    ),
    "likelihoods": (None, np.array([[0.0, 5, 20]]), np.array([[7.5, 5, 20], [2.5, 1, 8]])),
}
"""targets, answers all right, answers all wrong"""
NOT_REACHED = {"rouge1": 2 / 3, "rouge2": 2 / 3, "rouge-l": 2 / 3}
"""What the metrics of English words give where one text of three has none."""


@pytest.fixture(scope="module", autouse=True)
def bertscore_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A tiny model for the metric that needs one."""
    folder = tmp_path_factory.mktemp("bert")
    tiny_bert("BertModel", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_BERTSCORE_MODEL", str(folder))
        yield


@pytest.mark.parametrize("name", plugins.names("metrics"))
def test_contract(name: str) -> None:
    metric = plugins.load("metrics", name)
    targets, perfect, wrong = JUDGED[metric.TAKES]
    low, high = metric.RANGE
    best, worst = (high, low) if metric.HIGHER_IS_BETTER else (low, high)
    scores = metric.score(targets, perfect), metric.score(targets, wrong)
    assert [type(score) for score in scores] == [float, float]
    if name == "meteor":  # the penalty for a single chunk
        assert 0.5 < scores[0] < 1
    else:
        assert scores[0] == pytest.approx(NOT_REACHED.get(name, best), abs=1e-6)
    assert low <= scores[1] <= high
    assert (scores[1] < scores[0]) == metric.HIGHER_IS_BETTER
    if math.isfinite(worst) and name not in ("macro-f1", "matthews", "bertscore"):
        assert scores[1] == pytest.approx(worst, abs=1e-6)
    if metric.PER_EXAMPLE:
        for given_answers in (perfect, wrong):
            found = metric.outcomes(targets, given_answers)
            assert (found.shape, found.dtype) == ((len(targets),), np.float32)
            assert found.mean() == pytest.approx(metric.score(targets, given_answers))
    assert metric.signature() == metric.signature() != ""
    metric.check()


@pytest.mark.parametrize("name", plugins.names("metrics"))
def test_one_example_is_enough(name: str) -> None:
    metric = plugins.load("metrics", name)
    targets, perfect, wrong = JUDGED[metric.TAKES]
    for given_answers in (perfect, wrong):
        score = metric.score(None if targets is None else targets[:1], given_answers[:1])
        assert metric.RANGE[0] - 1e-9 <= score <= metric.RANGE[1] + 1e-9  # BLEU is 100.00000000000004 at times
