"""The built-in data: real, big enough, and with nothing of the test split in what pretraining sees."""

from __future__ import annotations

import collections
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from bench.data.corpora import digits, python_docs, python_docs_next
from bench.data_sources.builtin import BuiltinData
from bench.errors import DataError

builtin = BuiltinData()


@pytest.fixture(scope="module")
def docs() -> dict[str, list[dict[str, object]]]:
    return {name: list(split) for name, split in python_docs.load()[1].items()}


def words(text: object) -> str:
    return " ".join(re.findall(r"\w+", str(text).casefold()))


def test_there_is_enough_english(docs: dict[str, list[dict[str, object]]]) -> None:
    total = {name: sum(len(str(row["text"]).split()) for row in rows) for name, rows in docs.items()}
    assert total["unlabelled"] > 150_000
    for split, fewest in (("train", 200), ("test", 50)):
        counts = collections.Counter(row["label"] for row in docs[split])
        assert sorted(counts) == list(range(8))
        assert min(counts.values()) >= fewest
    lengths = [len(str(row["text"]).split()) for rows in docs.values() for row in rows]
    assert (min(lengths), max(lengths)) == (5, 60)


def test_no_test_text_is_in_train_or_in_pretraining(docs: dict[str, list[dict[str, object]]]) -> None:
    seen = "\n".join(words(row["text"]) for split in ("train", "unlabelled") for row in docs[split])
    assert [row for row in docs["test"] if words(row["text"]) in seen] == []


def test_no_text_occurs_twice(docs: dict[str, list[dict[str, object]]]) -> None:
    texts = [words(row["text"]) for split in ("train", "test") for row in docs[split]]
    assert len(texts) == len(set(texts))


def test_methods_of_one_class_fall_on_one_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_docs, "FEWEST_EXAMPLES", 0)
    found = [
        python_docs.Docstring("email/a", f"email/a:C{c}", f"alpha{c} beta{m} gamma{c}{m} delta epsilon{m}")
        for c in range(30)
        for m in range(5)
    ]
    splits = python_docs.split_up(found)
    sides = {name: {text.split()[0] for text, _ in splits[name]} for name in ("train", "test")}
    assert sides["train"]
    assert sides["test"]
    assert sides["train"].isdisjoint(sides["test"])


def test_copies_and_near_copies_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_docs, "FEWEST_EXAMPLES", 0)
    base = "one two three four five six seven eight nine ten"
    near = [python_docs.Docstring("email/a", f"email/a:f{i}", f"{base} {i}") for i in range(50)]
    both = [python_docs.Docstring(area, f"{area}:f", "found in two areas at once") for area in ("email", "xml")]
    splits = python_docs.split_up(near + both)
    assert splits["test"] == []
    assert ("found in two areas at once", "email") not in splits["train"]


def test_nested_definitions_belong_to_their_outermost() -> None:
    import ast

    source = """
'''Module.'''
class A:
    '''Class.'''
    if True:
        def f(self):
            '''Method.'''
try:
    pass
except OSError:
    def g():
        '''Function.'''
"""
    found = {text: unit for unit, text in python_docs._docstrings(ast.parse(source), "") if text}
    assert found == {"Module.": "", "Class.": "A", "Method.": "A", "Function.": "g"}


def test_an_installation_without_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(python_docs.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(DataError, match="too few source files about concurrency"):
        python_docs.load()


def test_the_next_sentence_has_enough_examples_and_no_test_sentence_in_train() -> None:
    found = python_docs_next.load()[1]
    assert [len(found[split]) > fewest for split, fewest in (("train", 2000), ("test", 200))] == [True, True]
    train, test = (
        {words(s) for row in found[split] for s in (row["context"], *row["choices"])} for split in ("train", "test")
    )
    assert train.isdisjoint(test)
    for split in ("train", "test"):
        counts = collections.Counter(found[split]["label"][:])
        assert sorted(counts) == [0, 1, 2, 3]
        assert max(counts.values()) < 0.4 * len(found[split])


def test_digits_are_stratified_and_whole() -> None:
    _, splits = digits.load()
    total = sum(map(len, splits.values()))
    assert total == 1797
    for label in range(10):
        held = splits["test"]["label"][:].count(label)
        assert held == (held + splits["train"]["label"][:].count(label)) // 3
    image = splits["train"][0]["image"]
    assert (image.size, image.mode) == ((8, 8), "L")
    assert image.getextrema()[1] > 200
    assert len(set(splits["test"]["label"][:20])) > 5


def test_an_image_keeps_its_side_whatever_classes_are_asked_for() -> None:
    def pixels(classes: tuple[int, ...], split: str, digit: int) -> set[bytes]:
        rows = digits.load(classes)[1][split]
        return {row["image"].tobytes() for row in rows if row["label"] == classes.index(digit)}

    assert digits.load((7, 5))[1]["train"].features["label"].names == ["7", "5"]
    assert pixels((7, 5), "test", 5) == pixels((5, 6, 7), "test", 5)
    assert pixels((7, 5), "test", 5).isdisjoint(pixels((5, 6), "train", 5))


def test_the_source_serves_what_was_locked() -> None:
    parameters = builtin.Parameters(builtin="digits", classes=(1, 2))
    fingerprint = builtin.lock(parameters)["fingerprint"]
    splits = builtin.fetch(parameters, fingerprint)
    assert splits["train"].cache_files
    assert len({fingerprint, *(digits.load(c)[0] for c in ((2, 1), (1, 3)))}) == 3
    with pytest.raises(DataError, match="other content than was locked; `bench lock SUITE --update`"):
        builtin.fetch(parameters, "0" * 64)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"builtin": "python-docs", "classes": (1, 2)}, "digits` alone"),
        ({"builtin": "digits", "classes": (1, 1)}, "each once"),
        ({"builtin": "digits", "classes": (1,)}, "at least two"),
        ({"builtin": "digits", "classes": (1, 10)}, "less than or equal to 9"),
    ],
)
def test_what_parameters_refuse(given: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        builtin.Parameters.model_validate(given)
