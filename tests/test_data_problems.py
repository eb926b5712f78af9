"""What is wrong with a task's data is told at once, with a count, the first places in the files, and the way out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench import api
from bench.errors import DataError
from bench.runner import lock as locks
from bench.suite.trial import Json
from bench.worker.prepare import prepare

SUITE = """\
name: d
models: {{m: {{folder: m}}}}
tasks:
  t: {{kind: {kind}, data: {{files: {{{files}}}}}{more}}}
regimes: {{full: }}
sizes: [{sizes}]
"""


def prepared(folder: Path, files: dict[str, str], more: str = "", kind: str = "text-classification") -> Json:
    """What `bench lock` keeps of a task with these files. files: {name: text}, the split is the name's stem."""
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    splits = ", ".join(f"{name.partition('.')[0]}: {name}" for name in files)
    suite = folder / "d.yaml"
    suite.write_text(SUITE.format(kind=kind, files=splits, more=f", {more}" if more else "", sizes="8, 1000"))
    orders = locks.orders(api.load_suite(suite), {"models": {}, "tasks": {}, "regimes": {}})
    order = next(order for section, _, _, order in orders if section == "tasks")
    return prepare(order)


def csv(*rows: str) -> str:
    return "\n".join(("text,label", *rows)) + "\n"


def jsonl(rows: list[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


GOOD = csv("a,1", "b,0", "c,1", "d,0")
MANY = csv(*(f"text {i},{'' if i % 7 == 0 else i % 2}" for i in range(700)))


@pytest.mark.parametrize(
    ("files", "more", "said"),
    [
        ({"train.csv": MANY, "test.csv": GOOD}, "", [
            r"split train, 100 rows \(0, 7, 14, …; .*train\.csv:2, 9, 16, …\), column 'label': the label is missing"]),
        ({"train.csv": MANY, "test.csv": csv("x,1", "y,")}, "labels: [bad, good]", [
            "split train, 100 rows", r"; also task t, split test, row 1 \(.*test\.csv:3\), column 'label': the label"]),
        ({"train.csv": GOOD, "test.csv": csv("x,2", '"y\n",1', "z,2", "v,3")}, "labels: [bad, good]", [
            r"split test, 2 rows \(0, 2; .*test\.csv:2, 5\), column 'label': label 2 is not among labels; known: 0, 1",
            r"; also .* row 3 \(.*test\.csv:6\)"]),
        ({"train.csv": csv("a,0.5", "b,1.0"), "test.csv": GOOD}, "", ["numbers such as 0.5, .*text-regression"]),
        ({"train.csv": csv("a,x", "b,x"), "test.csv": GOOD}, "", ["1 distinct value: 'x' alone, and classes are 2"]),
        ({"train.csv": GOOD, "test.csv": GOOD}, "", [
            "task t: all 4 examples of the split 'train' also stand in the test split 'test'", "the same file?"]),
        ({"train.csv": GOOD}, "splits: {test: train}", ["train and test both name the split 'train'.*fraction"]),
        ({"train.csv": GOOD.replace(",", ", "), "test.csv": GOOD}, "", ["no column 'label'; it has text, ' label'"]),
    ],
)  # fmt: skip
def test_all_of_it_is_told_at_once(tmp_path: Path, files: dict[str, str], more: str, said: list[str]) -> None:
    with pytest.raises(DataError, match=".*".join(said)) as caught:
        prepared(tmp_path, files, more)
    assert "\n" not in str(caught.value)


def test_whole_numbers_are_classes_however_they_are_written(tmp_path: Path) -> None:
    entry = prepared(tmp_path, {"train.csv": GOOD.replace("1\n", "1.0\n"), "test.csv": csv("x,1", "y,0.0")})
    assert entry["labels"] == ["0", "1"]
    assert entry["classes"] == {"train": [2, 2], "test": [1, 1]}


def test_a_test_part_needs_no_places_of_answers(tmp_path: Path) -> None:
    def row(question: str, start: int) -> Any:
        return {"question": question, "context": "a joy", "answers": {"text": ["joy"], "answer_start": [start]}}

    good, hidden = jsonl([row("who", 2), row("what", 2)]), jsonl([row(f"q{i}", -1) for i in range(98)])
    entry = prepared(tmp_path, {"train.jsonl": good, "test.jsonl": hidden}, kind="question-answering")
    assert entry["classes"]["test"] == [98]
    said = r"98 rows \(0, 1, 2, …; .*train\.jsonl:1, 2, 3, …\), column 'answers': 'joy' does not stand at -1"
    with pytest.raises(DataError, match=said):
        prepared(tmp_path, {"train.jsonl": hidden, "test.jsonl": good}, kind="question-answering")
