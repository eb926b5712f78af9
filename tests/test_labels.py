"""How a data set's columns become texts and class numbers, whatever they hold."""

from __future__ import annotations

from typing import Any

import datasets
import PIL.Image
import pytest

from bench.data.content import digest
from bench.data.examples import Labelled, class_words, labels_of
from bench.errors import DataError
from bench.tasks.text_classification import TextClassification

text_classification = TextClassification()

CLASSES = datasets.ClassLabel(names=["neg", "pos"])


def column(values: list[Any], feature: Any = None) -> datasets.Dataset:
    features = datasets.Features({"label": feature}) if feature else None
    return datasets.Dataset.from_dict({"label": values}, features)


def numbers(values: list[Any], labels: Any, feature: Any = None) -> list[int]:
    found = labels_of(column(values, feature), "label", Labelled.model_validate({"labels": labels}), "place")
    return [int(number) for number in found]


@pytest.mark.parametrize(
    ("values", "labels", "feature", "expected"),
    [
        (["b", "a"], ("a", "b"), None, [1, 0]),
        ([1, 0], ("bad", "good"), None, [1, 0]),
        ([2, 1], {"1": "bad", "2": "good"}, None, [1, 0]),
        ([2, 1], ("1", "2"), None, [1, 0]),
        ([True, False], ("False", "True"), None, [1, 0]),
        ([1, 0], ("bad", "good"), CLASSES, [1, 0]),
        ([1, 0], ("pos", "neg"), CLASSES, [0, 1]),  # by name, as strings are
        ([1, 0], ("5", "6"), datasets.ClassLabel(names=["5", "6"]), [1, 0]),
        ([1, 0], {"pos": "good", "neg": "bad"}, CLASSES, [1, 0]),
        ([1, 0], {"never": "never", "pos": "good", "neg": "bad"}, CLASSES, [2, 0]),
        ([1, 0], ("pos", "never", "neg"), CLASSES, [0, 2]),
        ([1, 0], {"1": "good", "0": "bad"}, CLASSES, [1, 0]),
    ],
)
def test_labels_mean_what_the_suite_says(values: Any, labels: Any, feature: Any, expected: list[int]) -> None:
    assert numbers(values, labels, feature) == expected


def test_keyed_labels_have_one_order_however_they_are_written() -> None:
    one, other = (
        Labelled.model_validate({"labels": dict(p)}) for p in ([("b", "B"), ("a", "A")], [("a", "A"), ("b", "B")])
    )
    assert one.words() == other.words() == ["A", "B"]  # their trial's id and its cached class numbers are the same


def test_a_label_that_the_hub_hides_is_no_class() -> None:
    with pytest.raises(DataError, match=r"row 1.*the Hub hides"):
        numbers([0, -1], ("neg", "pos"), CLASSES)


def test_integers_found_in_the_data_are_values_in_every_split() -> None:
    words = class_words(column([3, 1, 2]), "label", Labelled.model_validate({}), "place")
    assert words == ["1", "2", "3"]
    with pytest.raises(DataError, match=r"row 0.*'0' is not among labels"):  # and not the first class
        numbers([0, 1, 2], tuple(words))


@pytest.mark.parametrize("labels", [("Pos", "Neg"), {"good": "g", "bad": "b"}])
def test_words_in_another_order_than_the_datas_classes_are_refused(labels: Any) -> None:
    with pytest.raises(DataError, match=r"in the data's order: neg, pos|not among labels"):
        numbers([0, 1], labels, CLASSES)


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_missing_label_is_no_class(missing: Any) -> None:
    data = column([0.0, missing, 1.0]) if missing else column([0, missing, 1])
    with pytest.raises(DataError, match=r"row 1, column 'label': the label is missing"):
        class_words(data, "label", Labelled.model_validate({}), "place")
    with pytest.raises(DataError, match=r"row 1, column 'label': the label is missing"):
        labels_of(data, "label", Labelled.model_validate({"labels": ("0", "1")}), "place")


@pytest.mark.parametrize("values", [[1, 0], [0, 0], [["a"], ["b"]]])
def test_what_is_no_text_is_refused(values: list[Any]) -> None:
    data = datasets.Dataset.from_dict({"text": values, "label": [0, 1]})
    parameters = text_classification.Parameters.model_validate({"labels": ("a", "b")})
    with pytest.raises(DataError, match=r"column 'text' holds .*, not text"):
        text_classification.examples(data, {"text": "text", "label": "label"}, parameters, "place")


def test_images_are_equal_when_models_see_them_alike() -> None:
    black = PIL.Image.new("RGB", (4, 8))
    assert digest(black) == digest(PIL.Image.new("RGBA", (4, 8), (0, 0, 0, 255))) == digest(PIL.Image.new("L", (4, 8)))
    assert digest(black) != digest(PIL.Image.new("RGB", (8, 4)))
    one, other = PIL.Image.new("P", (4, 8)), PIL.Image.new("P", (4, 8))
    one.putpalette([255, 0, 0])
    other.putpalette([0, 255, 0])
    assert one.tobytes() == other.tobytes()
    assert digest(one) != digest(other)
