"""Data looked at before anything is trained: planted wrong labels, duplicates and overlaps are found."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from click.testing import CliRunner

from bench import plugins
from bench.audit import features
from bench.audit.confident import suspicious
from bench.audit.probe import out_of_fold
from bench.audit.task import Audit, audit
from bench.cli import main
from bench.report import audit as shown
from bench.trial import task_data

WORDS = ["the", "film", "plot", "end", "start", "has", "long", "and", "from", "a", "scene", "actor", "music", "camera"]
SIGNS = {"good": ["joy", "lovely", "great"], "bad": ["dull", "awful", "poor"]}
WRONG = 12


def rows(count: int, seed: int, wrong: int = 0) -> list[tuple[str, str]]:
    """Texts with two signs of their label; the first `wrong` have the other label."""
    random = np.random.default_rng(seed)
    found = []
    for row in range(count):
        label = ("good", "bad")[row % 2]
        words = [*random.choice(WORDS, 8), *random.choice(SIGNS[label], 2)]
        given = label if row >= wrong else ("bad", "good")[row % 2]
        found.append((" ".join(random.permutation(words)), given))
    return found


def write(path: Path, found: list[tuple[str, str]], head: tuple[str, str] = ("text", "label")) -> str:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([head, *found])
    return str(path)


def look(
    location: dict[str, Any], kind: str = "text-classification", source: str = "files", most: int = 1000, **own: Any
) -> Audit:
    """The audit of a task whose data lie there."""
    plugin, data = plugins.load("tasks", kind), plugins.load("data_sources", source)
    columns = own.pop("columns", None) or {role: role for role, needed in plugin.COLUMNS.items() if needed}
    task: Any = {
        **{"kind": kind, "version": 1, "columns": columns, "splits": {"train": "train", "test": "test"}},
        "parameters": {"metrics": [], **own},
        "data": {
            **{"source": source, "version": data.VERSION, "parameters": {}},
            "fingerprint": data.lock(data.Parameters.model_validate(location))["fingerprint"],
        },
    }
    return audit("t", task_data.load(task, location, {}), most)


def texts(folder: Path, train: list[tuple[str, str]], test: list[tuple[str, str]], **given: Any) -> Audit:
    files = {"train": write(folder / "train.csv", train), "test": write(folder / "test.csv", test)}
    return look({"files": files}, **{"labels": ["good", "bad"], "max_length": 32, **given})


def test_planted_wrong_labels_are_found_and_few_right_ones(tmp_path: Path) -> None:
    found = texts(tmp_path, rows(300, 0, WRONG), rows(40, 1))
    assert found.suspects is not None
    flagged = {one.row for one in found.suspects}
    assert len(flagged & set(range(WRONG))) >= WRONG - 2
    assert len(flagged - set(range(WRONG))) <= 3
    first = found.suspects[0]
    assert first.given != first.suggested
    assert first.probability > 0.5
    clean = texts(tmp_path, rows(300, 0), rows(40, 1))
    assert clean.suspects is not None
    assert len(clean.suspects) <= 3


def test_confident_joint_by_hand() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1])
    first = np.array([0.9, 0.8, 0.1, 0.2, 0.1, 0.45])  # mean of p_0 among 0s: .6, of p_1 among 1s: .75
    assert suspicious(labels, np.stack([first, 1 - first], axis=1)).tolist() == [2]


def test_the_same_as_cleanlab_where_that_is_installed() -> None:
    cleanlab = pytest.importorskip("cleanlab.filter")
    random = np.random.default_rng(0)
    for _ in range(10):
        labels = np.concatenate([np.arange(4), random.integers(0, 4, 96)])
        mixed = 0.5 * random.dirichlet(np.ones(4), 100) + 0.5 * np.eye(4)[random.permutation(labels)]
        wanted = cleanlab.find_label_issues(
            labels, mixed, filter_by="confident_learning", return_indices_ranked_by="normalized_margin", n_jobs=1
        )
        assert suspicious(labels, mixed).tolist() == wanted.tolist()


def test_probabilities_are_of_examples_that_were_not_seen() -> None:
    random = np.random.default_rng(0)
    noise = random.normal(size=(60, 200))  # wide enough to be learnt by heart
    found = out_of_fold(noise, np.arange(60) % 2, 2)
    assert 0.25 < (found.argmax(axis=1) == np.arange(60) % 2).mean() < 0.75


def test_a_class_of_one_example_is_no_error() -> None:
    labels = np.array([0] * 20 + [1] * 20 + [2])
    values = np.random.default_rng(0).normal(size=(41, 3)) + np.eye(3)[labels]
    assert out_of_fold(values, labels, 3).shape == (41, 3)


def test_duplicates_and_overlaps(tmp_path: Path) -> None:
    long = " ".join(f"word{n}" for n in range(40))
    train = [*rows(40, 0), (long, "good"), (f"{long} end", "bad"), rows(1, 5)[0], rows(1, 5)[0]]
    test = [*rows(20, 1), (f"{long} start", "good"), rows(2, 0)[1]]
    found = texts(tmp_path, train, test)
    assert found.near is not None
    assert found.near_count == {"train": 2, "test": 0, "overlap": 2, "contradicting": 2}
    assert found.near[0].cosine == pytest.approx(1)
    assert found.summary["duplicates"] == {"train": 1, "contradicting": 0, "leaks": 1}
    told = "\n".join(shown.lines(found))
    assert "near duplicates: 2 pairs in train, 0 in test, 2 between them; 2 with different labels" in told
    assert "overlap: 1 training examples also stand in a test set" in told
    assert "lengths: 2 of train, 1 of test have more words than max_length 32 has tokens" in told


def test_all_pairs_are_those_of_a_plain_loop() -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(1100, 3))  # several chunks
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    cosines = values @ values.T
    wanted = {(i, j) for i, j in zip(*np.where(cosines >= 0.9999), strict=True) if i < j}
    assert {(i, j) for i, j, _ in features.alike(values, 0.9999)} == wanted
    assert wanted


def test_images_are_judged_and_compared(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for split, count in (("train", 30), ("test", 6)):
        for name, first in (("left", True), ("right", False)):
            folder = tmp_path / "i" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 60, (16, 16), dtype=np.uint8)
                wrong = split == "train" and number == 0
                pixels[:, :8] += np.uint8(150 * (first != wrong))
                pixels[:, 8:] += np.uint8(150 * (first == wrong))
                PIL.Image.fromarray(pixels).save(folder / f"{number:02}.png")
    source = tmp_path / "i/train/left/05.png"
    brighter = np.asarray(PIL.Image.open(source)) + np.uint8(3)
    PIL.Image.fromarray(brighter).save(tmp_path / "i/test/left/00.png")
    found = look({"folder": str(tmp_path / "i")}, "image-classification", "folder", labels=["left", "right"])
    assert found.features == "pixels"
    assert found.suspects is not None
    assert {one.row for one in found.suspects} == {0, 30}
    assert found.near is not None
    assert [{one.a, one.b} for one in found.near if one.a[0] != one.b[0]] == [{("train", 5), ("test", 0)}]


def test_sets_of_labels_are_judged_label_by_label(tmp_path: Path) -> None:
    path = {}
    for split, count, wrong in (("train", 200, 4), ("test", 20, 0)):
        lines = []
        for number, (text, label) in enumerate(rows(count, len(split), wrong)):
            lines.append(json.dumps({"text": text, "labels": [label, "any"] if number % 3 else [label]}))
        path[split] = str(tmp_path / f"{split}.jsonl")
        Path(path[split]).write_text("\n".join(lines))
    found = look({"files": path}, "multi-label-classification", labels=["good", "bad", "any"], max_length=32)
    assert found.suspects is not None
    by_label = {(one.row, one.given) for one in found.suspects}
    assert {(0, "bad"), (0, "not good"), (1, "good"), (1, "not bad")} <= by_label


def test_what_is_not_looked_at_is_said(tmp_path: Path) -> None:
    line = json.dumps({"tokens": ["a", "b"], "tags": ["O", "B-X"]})
    other = json.dumps({"tokens": ["c", "d"], "tags": ["O", "B-X"]})
    path = {}
    for split, text in (("train", line), ("test", other)):
        path[split] = str(tmp_path / f"{split}.jsonl")
        Path(path[split]).write_text(text + "\n" + text)
    found = look({"files": path}, "token-classification", labels=["O", "B-X"])
    assert found.suspects is None
    told = "\n".join(shown.lines(found))
    assert (
        "not looked at: whether answers are right, balanced or contradict each other: they are tags, and none but "
        "classes and sets of labels are judged" in told
    )
    assert "exact duplicates: 1 in train\n" in told
    assert "with different labels" not in told


def test_a_part_is_looked_at_and_said_so(tmp_path: Path) -> None:
    found = texts(tmp_path, rows(80, 0), rows(40, 1), most=20)
    assert found.looked_at == {"train": 20, "test": 20}
    assert "among 20 of train and 20 of test" in "\n".join(shown.lines(found))
    assert texts(tmp_path, rows(80, 0), rows(40, 1), most=20) == found


SUITE = """\
name: small
models: {mine: {folder: model}}
tasks:
  first: {kind: text-classification, data: {files: {train: train.csv, test: test.csv}}, labels: [good, bad]}
  other:
    {kind: text-classification, data: {files: {train: train.csv, test: test.csv}}, labels: [good, bad], max_length: 64}
regimes: {full: }
sizes: [64]
"""


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    write(tmp_path / "train.csv", [("\x1b]0;x\x07 " + text, label) for text, label in rows(60, 0, 4)])
    write(tmp_path / "test.csv", rows(20, 1))
    Path("small.yaml").write_text(SUITE)
    done = CliRunner().invoke(main, ["audit", "small.yaml"])
    assert done.exit_code == 0, (done.output, done.exception)
    assert "suspicious labels: " in done.stdout
    assert "\x1b" not in done.output
    kept = json.loads(Path("results/small/audit.json").read_text())
    assert [one["task"] for one in kept["tasks"]] == ["first", "other"]
    assert kept["tasks"][0]["suspects"]
    done = CliRunner().invoke(main, ["audit", "small.yaml", "--task", "othr"])
    assert (done.exit_code, "did you mean 'other'" in done.stderr) == (2, True)
    done = CliRunner().invoke(main, ["audit", "small.yaml", "--task", "other", "--examples", "30", "--json"])
    (found,) = json.loads(done.stdout)
    assert found["looked_at"] == {"train": 30, "test": 20}
    again = json.loads(Path("results/small/audit.json").read_text())["tasks"]
    assert (again[0], again[1]) == (kept["tasks"][0], found)  # what was found of the other task stays
