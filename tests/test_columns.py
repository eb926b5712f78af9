"""Columns inside columns."""

from __future__ import annotations

from typing import Any

import datasets
import pytest

from bench.data.nested_columns import opened
from bench.errors import DataError


def table() -> Any:
    pair = datasets.Translation(languages=["de", "en"])
    answers = {"text": datasets.List(datasets.Value("string")), "at": {"first": datasets.Value("int32")}}
    features = datasets.Features(
        {"translation": pair, "answers": answers, "x.y": datasets.Value("string"), "x": {"y": datasets.Value("string")},
         "turns": datasets.List({"role": datasets.Value("string")}),
         "more": {"label": datasets.ClassLabel(names=["no", "yes"])}}
    )  # fmt: skip
    rows = [
        {"translation": {"de": f"d{i}", "en": f"e{i}"}, "answers": {"text": [f"a{i}", "b"], "at": {"first": i}},
         "x.y": f"flat{i}", "x": {"y": f"deep{i}"}, "turns": [{"role": "user"}], "more": {"label": i}}
        for i in range(2)
    ]  # fmt: skip
    return datasets.Dataset.from_list(rows, features)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("translation.en", ["e0", "e1"]),
        ("answers.text", [["a0", "b"], ["a1", "b"]]),
        ("answers.at.first", [0, 1]),
        ("answers.at", [{"first": 0}, {"first": 1}]),
        ("x.y", ["flat0", "flat1"]),
        ("translation", [{"de": "d0", "en": "e0"}, {"de": "d1", "en": "e1"}]),
    ],
)
def test_a_column_inside_another_is_a_column(column: str, values: list[Any]) -> None:
    found = opened(table(), "source", column, "here")
    assert list(found[column]) == values
    assert set(found.column_names) == {*table().column_names, column}
    assert list(found.select([1])[column]) == values[1:]


def test_what_the_data_says_of_it_stays() -> None:
    assert opened(table(), "label", "more.label", "here").features["more.label"].names == ["no", "yes"]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("translation.fr", "column 'translation' holds no 'fr'; it holds de, en; say which"),
        ("answers.at.last", "column 'answers' holds no 'at.last'; it holds text, at.first; say which"),
        ("turns.role", "column 'turns' holds no 'role'; it holds List"),
        ("nowhere.en", "no column 'nowhere.en'; it has translation, answers"),
    ],
)
def test_a_wrong_name_says_what_there_is(column: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        opened(table(), "source", column, "here")
