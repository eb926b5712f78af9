"""What is wrong with a task's data is told at once, with a count, the first places in the files, and the way out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tiny_models import tiny_bert
from tiny_tasks import context, text_task, trial

from bench import api
from bench.errors import DataError
from bench.planning import data_lines
from bench.planning import lock as locks
from bench.store import validation
from bench.suite.trial import Json
from bench.trial.prepare import prepare

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
        ({"train.csv": GOOD + "e,\n", "test.csv": csv("x,1", "y,")}, "", [
            r"split train, row 4 \(.*train\.csv:6\), column 'label': the label is missing"]),
        ({"train.json": '{\n"data": []}', "test.csv": GOOD}, "", [r"train\.json: is one object, not a list of rows"]),
        ({"train.jsonl": '{"text": "a", "label": 1}\n{"text": 2, "label": 1}\n', "test.csv": GOOD}, "", [
            "/text. changed from string to number in row 1; give every row the same names"]),
        ({"train.csv": GOOD, "test.csv": GOOD}, "", [
            "task t: all 4 examples of the split 'train' also stand in the test split 'test'", "the same file?"]),
        ({"train.csv": GOOD}, "splits: {test: train}", ["train and test both name the split 'train'.*fraction"]),
        ({"train.csv": GOOD.replace(",", ", "), "test.csv": GOOD}, "", ["no column 'label'; it has text, ' label'"]),
    ],
)  # fmt: skip
def test_all_of_it_is_told_at_once(tmp_path: Path, files: dict[str, str], more: str, said: list[str]) -> None:
    with pytest.raises(DataError, match=".*".join(said)) as caught:
        prepared(tmp_path, files, more)
    assert type(caught.value) is DataError  # as which alone it crosses from one process to another
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


def test_a_summary_tells_what_may_not_be_known(tmp_path: Path) -> None:
    odd = ["dull,bad ", "NaN,Bad", ",bad", "it ends,good", "z,01", "y,1"]
    train = csv("good film,good", "good film,good", "good film,bad", *odd)
    summary = prepared(tmp_path, {"train.csv": train, "test.csv": csv("it ends,good", "new,bad")})["summary"]
    assert summary["rows"] == {"train": 8, "test": 2}
    assert summary["classes"]["good"] == {"train": 2, "test": 1}
    assert summary["lengths"] == {"unit": "words", "median": 1, "p95": 2, "longest": 2}
    assert summary["duplicates"] == {"train": 2, "contradicting": 1, "leaks": 1}
    assert summary["remarks"] == [
        "the labels '01' and '1' are classes of their own; are they meant as one?",
        "the labels 'Bad' and 'bad' and 'bad ' are classes of their own; are they meant as one?",
        "no example of test has the labels '01', '1', 'Bad' and 1 more",
        "2 training examples repeat another (of 8), so what is held out for validation may also be learnt from",
        "1 input stands in train with different labels",
        "1 text of train is empty",
        "1 text of train is 'NaN', as programs write what is missing",
    ]


def test_a_label_of_the_suite_that_no_example_has(tmp_path: Path) -> None:
    summary = prepared(tmp_path, {"train.csv": GOOD, "test.csv": csv("x,1")}, "labels: [bad, good, mixed]")["summary"]
    assert summary["remarks"] == [
        "no example of train has the label 'mixed'",
        "no example of test has the labels 'bad', 'mixed'",
    ]


@pytest.mark.parametrize(
    ("kind", "row", "more"),
    [
        ("multi-label-classification", {"text": "a", "labels": ["x"]}, ""),
        ("text-regression", {"text": "a", "value": 1.5}, ""),
        ("token-classification", {"tokens": ["a", "b"], "tags": ["O", "B-x"]}, ""),
        ("multiple-choice", {"context": "a", "choices": ["x", "y"], "label": 0}, ""),
        ("language-modeling", {"text": "a"}, ""),
        ("translation", {"source": "你好", "target": "a"}, ""),
        ("text-generation", {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
         "columns: {messages: messages}"),
    ],
)  # fmt: skip
def test_every_kind_of_task_has_a_summary(tmp_path: Path, kind: str, row: Any, more: str) -> None:
    def rows(word: str) -> str:
        text = jsonl([row]).replace('"a"', f'"{word}"').replace("\\u4f60", word)
        return text + text.replace('["x"]', '["x", "y"]')

    summary = prepared(tmp_path, {"train.jsonl": rows("one"), "test.jsonl": rows("two")}, more, kind)["summary"]
    assert summary["rows"] == {"train": 2, "test": 2}
    assert summary["duplicates"]["train"] == 1
    assert summary.get("classes") == (
        {"x": {"train": 2, "test": 2}, "y": {"train": 1, "test": 1}} if "multi-l" in kind else None
    )
    assert summary["lengths"]["longest"] > 0


def test_empty_rows_of_a_text_are_no_repeats(tmp_path: Path) -> None:
    train = jsonl([{"text": text} for text in ("a", "", "", " ", "a", "b")])
    files = {"train.jsonl": train, "test.jsonl": jsonl([{"text": "new"}])}
    summary = prepared(tmp_path, files, kind="language-modeling")["summary"]
    assert (summary["duplicates"]["train"], len(summary["remarks"])) == (1, 1)


def test_tags_are_counted_in_words_whatever_their_script(tmp_path: Path) -> None:
    train = jsonl([{"tokens": ["你", "好", "吗"], "tags": ["O", "B-x", "O"]}])
    files = {"train.jsonl": train, "test.jsonl": train.replace('"O"', '"B-x"').replace("\\u4f60", "您")}
    summary = prepared(tmp_path, files, kind="token-classification")["summary"]
    assert summary["lengths"] == {"unit": "words", "median": 3, "p95": 3, "longest": 3}


def test_the_summary_in_a_few_lines(tmp_path: Path) -> None:
    entry = prepared(tmp_path, {"train.csv": GOOD, "test.csv": csv("x,1", "a,0")})
    task = api.load_suite(tmp_path / "d.yaml").tasks["t"]
    assert list(data_lines.lines("t", task, entry["summary"])) == [
        "task t: 3 train, 2 test; 2 classes ('0': 2 + 1, '1': 1 + 1); 1 words (median), 1 (95 %), 1 at most; 1 that "
        "also stand in a test split left out",
        "task t: remark: sizes 8, 1000: train has 3 examples; nothing runs there",
    ]
    validation.check(validation.Lock, {"models": {}, "tasks": {"t": {"request": {}, **entry}}, "regimes": {}})


def test_a_trial_says_how_many_texts_were_cut(tmp_path: Path) -> None:
    tiny_bert("BertModel", tmp_path / "m")
    task, location = text_task(tmp_path)
    cut = r"\d\d% of the training texts reach 6 tokens, at which texts are cut$"
    tiny_bert("BertModel", tmp_path / "short")
    settings = tmp_path / "short" / "tokenizer_config.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "model_max_length": 6}))
    for model, most, said in (("m", 32, "$"), ("m", 6, cut), ("short", 32, cut)):
        task["parameters"]["max_length"] = most
        one, _ = context(trial(tmp_path / model, (task, location), "linear-probe"), tmp_path / "results")
        assert one.features.truncation() == []  # nothing is known before they are tokenised
        one.features.encoded("train")
        assert re.match(said, "".join(one.features.truncation()))
