import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import plugins
from bench.metrics import accuracy, macro_f1, matthews


def answers(predictions: list[int], classes: int) -> np.ndarray:
    return np.log(np.eye(classes)[predictions] * 0.8 + 0.2 / classes)


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


@pytest.mark.parametrize("name", plugins.names("metrics"))
def test_contract(name: str) -> None:
    metric = plugins.load("metrics", name)
    assert metric.VERSION >= 1
    assert metric.HIGHER_IS_BETTER is True
    labels = np.array([0, 1, 2, 1])
    perfect, wrong = answers([0, 1, 2, 1], 3), answers([1, 2, 0, 0], 3)
    assert metric.score(labels, perfect) == pytest.approx(1)
    assert metric.RANGE[0] <= metric.score(labels, wrong) < metric.score(labels, perfect)
    assert metric.RANGE[1] == 1
    if metric.PER_EXAMPLE:
        found = metric.outcomes(labels, wrong)
        assert (found.shape, found.dtype) == ((4,), np.float32)
        assert found.mean() == pytest.approx(metric.score(labels, wrong))
