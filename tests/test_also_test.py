"""Further test sets: other data for the same labels, scored by the same trained model of every regime."""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from pyarrow import parquet
from sklearn.metrics import accuracy_score
from tiny_models import tiny_bert, tiny_image
from tiny_tasks import order, write_images, write_texts

from bench import api
from bench.cli import main
from bench.errors import DataError
from bench.objectives.classes import Classes
from bench.planning import lock
from bench.probes.memory import PeakMemory
from bench.store import paths, records
from bench.tasks.multi_label_classification import MultiLabelClassification
from bench.tasks.token_classification import TokenClassification
from bench.trial import also_test
from bench.trial.run import run

multi_label_classification = MultiLabelClassification()
token_classification = TokenClassification()

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")

SUITE = """\
name: s
models: {bert: {folder: bert}}
tasks:
  films:
    kind: text-classification
    data: {files: {train: train.csv, test: test.csv}}
    labels: [good, bad]
    max_length: 32
    also_test:
      stars:
        data: {files: {dev: stars.csv}}
        columns: {text: review, label: stars}
        split: dev
        labels: {1: bad, 2: bad, 5: good}
      again: {data: {files: {test: test.csv}}}
  tags:
    kind: token-classification
    data: {files: {train: words.jsonl, test: words.jsonl}}
    splits: {test: 0.5}
    max_length: 16
    also_test: {other: {data: {files: {test: other.jsonl}}, columns: {tokens: words}}}
regimes:
  zero-shot: {way: cloze}
  linear-probe: {C: 0.1}
  lora: {r: 2, learning_rate: 0.01}
  full: {learning_rate: 0.001}
sizes: [16]
seeds: 2
tuning: null
budget: {steps: 3}
training: {batch_size: 8, dropout: 0}
"""


STARS = "task films, also_test stars"


def sentences(path: Path, column: str, count: int) -> None:
    tags = {"the": "O", "film": "B-film", "end": "B-end"}
    rows = [[list(tags)[(i * k) % 3] for k in (1, 2, i % 5)] + [str(i)] for i in range(count)]
    lines = [{column: row, "tags": [tags.get(word, "O") for word in row]} for row in rows]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def write_stars(path: Path, extra: list[tuple[str, int]]) -> None:
    """Ten reviews of 1, 2 or 5 stars, and others."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["review", "stars"])
        rows.writerows([(f"a film of {i} good ends", (1, 2, 5)[i % 3]) for i in range(10)] + extra)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    (folder / "bert").mkdir()
    tiny_bert("BertForMaskedLM", folder / "bert")
    write_texts(folder / "train.csv", 40, 0)
    write_texts(folder / "test.csv", 20, 1)
    with (folder / "train.csv").open() as file:
        first, second = list(csv.DictReader(file))[:2]
    write_stars(folder / "stars.csv", [(first["text"], 5), (second["text"], 2)])
    sentences(folder / "words.jsonl", "tokens", 60)
    sentences(folder / "other.jsonl", "words", 9)
    (folder / "s.yaml").write_text(SUITE)
    return folder


@pytest.fixture(scope="module")
def ran(home: Path) -> list[dict[str, Any]]:
    """The records of the whole suite."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("BENCH_CACHE", str(home / "cache"))
        done = CliRunner().invoke(main, ["run", str(home / "s.yaml"), "--results", str(home / "r"), "--devices", "cpu"])
    assert done.exit_code == 0, done.output
    read = records.read(home / "r/s")
    assert not read.damaged
    return read.records


def of(ran: list[dict[str, Any]], task: str) -> list[dict[str, Any]]:
    return [r for r in ran if r["trial"]["names"]["task"] == task]


def table(home: Path, record: dict[str, Any], on: str = "") -> dict[str, Any]:
    place = paths.predictions(home / "r/s", record["trial"]["id"], record["attempt"], on)
    return parquet.read_table(place).to_pydict()  # type: ignore[no-any-return]


def test_every_regime_scores_every_set(ran: list[dict[str, Any]]) -> None:
    films, tags = of(ran, "films"), of(ran, "tags")
    assert {r["trial"]["names"]["regime"] for r in films} == {"zero-shot", "linear-probe", "lora", "full"}
    assert {r["trial"]["names"]["regime"] for r in tags} == {"lora", "full"}
    for record in ran:
        assert record["status"] == "ok", record["cause"]
        assert record["costs"]["seconds"]["also_test"] > 0
    for record in films:
        assert set(record["scores"]["also_test"]) == {"stars", "again"}
        assert record["facts"]["also_test_examples"] == {"stars": 12, "again": 20}
        assert record["scores"]["also_test"]["again"] == record["scores"]["test"]
        assert record["scores"]["also_test_baselines"]["again"]["majority"] == record["scores"]["baselines"]["majority"]
    assert {r["facts"]["also_test_examples"]["other"] for r in tags} == {9}


def test_scores_are_those_of_the_predictions_kept(home: Path, ran: list[dict[str, Any]]) -> None:
    for record in of(ran, "films"):
        found = table(home, record, "stars")
        templates = max(found["template"]) + 1
        assert found["label"] == [1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0, 1] * templates  # 5 stars are good, class 0
        answers = np.argmax(found["log_probabilities"], axis=1)
        expected = accuracy_score(found["label"], answers)
        assert record["scores"]["also_test"]["stars"]["accuracy"] == pytest.approx(expected)
        assert table(home, record, "again") == table(home, record)


def test_rows_of_predictions_are_those_of_the_data(home: Path, ran: list[dict[str, Any]]) -> None:
    data = [json.loads(line) for line in (home / "words.jsonl").read_text().splitlines()]
    for record in of(ran, "tags"):
        found = table(home, record)
        assert found["example"] == list(range(len(found["row"])))
        assert max(found["row"]) > len(found["row"])  # `test` is a fraction of them
        assert found["tags"] == [data[row]["tags"] for row in found["row"]]
        assert table(home, record, "other")["row"] == list(range(9))


def test_what_stands_in_a_further_set_is_not_trained_on(ran: list[dict[str, Any]]) -> None:
    note = "2 examples that also stand in the test split or an also_test set were left out of training"
    assert all(note in r["facts"]["notes"] for r in of(ran, "films"))


def test_only_tasks_with_further_sets_hold_them_in_their_id(home: Path, ran: list[dict[str, Any]]) -> None:
    plain = home / "plain.yaml"
    begin, end = SUITE.index("    also_test:\n"), SUITE.index("  tags:\n")
    plain.write_text(SUITE[:begin] + SUITE[end:])
    found = api.plan(api.load_suite(home / "s.yaml"), home / "r").trials().values()
    assert all("also_test" in t.task for t in found)
    api.lock(api.load_suite(plain), home / "plain", say=lambda line: None)
    planned = api.plan(api.load_suite(plain), home / "plain").trials()
    for trial in planned.values():
        assert ("also_test" in trial.task) == (trial.names.task == "tags")
    assert {t.id for t in planned.values()} & {t.id for t in found} == {
        t.id for t in found if t.names.task == "tags"
    }  # a fingerprint, not a place, stands in the ids


def test_smoke_cuts_them_too(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    only = ["--only", "regime=linear-probe,zero-shot", "--only", "task=films"]
    arguments = ["run", str(home / "s.yaml"), "--results", str(home / "r"), "--smoke", "--devices", "cpu", *only]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    found = records.read(home / "r/s-smoke").records
    assert {tuple(r["facts"]["also_test_examples"].values()) for r in found} == {(16, 12)}


@pytest.mark.usefixtures("ran")  # what is reported is known once it is tuned
def test_baselines_are_in_nobodys_memory(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    within: list[str] = []
    stage, original = PeakMemory.stage, Classes.baselines

    @contextlib.contextmanager
    def noted(self: PeakMemory, name: str) -> Iterator[None]:
        within.append(name)
        with stage(self, name):
            yield
        within.remove(name)

    def baselines(*given: Any) -> Any:
        assert not within
        return original(*given)

    monkeypatch.setattr(PeakMemory, "stage", noted)
    monkeypatch.setattr(Classes, "baselines", baselines)
    planned = api.plan(api.load_suite(home / "s.yaml"), home / "r").trials().values()
    of = next(t for t in planned if (t.names.task, t.names.regime) == ("films", "linear-probe"))
    record: dict[str, Any] = {}
    run(order(of, tmp_path / "results"), torch.device("cpu"), 1, lambda *_: None, record)
    assert set(record["scores"]["also_test_baselines"]["stars"]) == {"majority", "tf-idf"}


def test_check_finds_them_whole_or_says_what_is_missing(home: Path, ran: list[dict[str, Any]]) -> None:
    assert CliRunner().invoke(main, ["check", str(home / "r/s")]).exit_code == 0
    record = of(ran, "films")[0]
    path = paths.predictions(home / "r/s", record["trial"]["id"], record["attempt"], "stars")
    kept = path.read_bytes()
    path.unlink()
    done = CliRunner().invoke(main, ["check", str(home / "r/s")])
    path.write_bytes(kept)
    assert done.exit_code == 1
    assert "also-stars.parquet: is missing" in " ".join(done.output.split())


def test_the_report_shows_them_beside_the_tasks_own(home: Path, ran: list[dict[str, Any]]) -> None:
    done = CliRunner().invoke(main, ["report", str(home / "r/s"), "--out", str(home / "out")])
    assert done.exit_code == 0, done.output
    out = home / "out/s"
    text = (out / "report.md").read_text()
    assert "## Further test sets" in text
    assert "| regime | labels | own test split | again | stars |" in text
    with (out / "also_test.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        own = [
            (r["scores"]["also_test"][row["on"]] if row["on"] else r["scores"]["test"])[row["metric"]]
            for r in of(ran, row["task"])
            if r["trial"]["names"]["regime"] == row["regime"]
        ]
        assert float(row["mean"]) == pytest.approx(np.mean(own))
        assert int(row["seeds"]) == len(own)
    named = {(r["task"], r["on"]) for r in rows if r["on"]}
    assert named == {("films", "stars"), ("films", "again"), ("tags", "other")}


@pytest.mark.parametrize(
    ("replace", "said"),
    [
        (("5: good", "5: god"), "s.yaml:14: tasks.films.also_test.stars.labels: 'god' is none of the task's labels"),
        (("split: dev", "splt: dev"), "tasks.films.also_test.stars.splt: unknown key; did you mean 'split'?"),
        (("{files: {dev: stars.csv}}", "{file: x}"), "tasks.films.also_test.stars.data: needs exactly one source"),
        (("      again:", "      A.B:"), "tasks.films.also_test.A.B: must match"),
        (("split: dev", "split: test"), f"{STARS}: no split 'test'; the data has dev; name one under split"),
        (("review", "text"), f"{STARS}, split dev: no column 'text'; it has review, stars"),
        (("2: bad, ", ""), f"{STARS}, split dev, 4 rows (1, 4, 7, …; "),
        (("{tokens: words}", "{tokens: words}, labels: [O, I-x]"), "split test: label 'I-x' is none of the task's"),
    ],
)
def test_a_mistake_is_one_line_before_anything_trains(
    replace: tuple[str, str], said: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    suite = home / "wrong.yaml"
    suite.write_text(SUITE.replace(*replace))
    done = CliRunner().invoke(main, ["lock", str(suite), "--results", str(tmp_path)])
    assert done.exit_code == 2, done.output
    assert said.replace("s.yaml", "wrong.yaml") in done.stderr
    assert "Traceback" not in done.output


def test_changed_files_are_told_as_a_tasks_own(home: Path, ran: list[dict[str, Any]]) -> None:
    kept = (home / "other.jsonl").read_text()
    sentences(home / "other.jsonl", "words", 8)
    done = CliRunner().invoke(main, ["run", str(home / "s.yaml"), "--results", str(home / "r")])
    (home / "other.jsonl").write_text(kept)
    assert done.exit_code == 2
    assert "task tags, also_test other: its files have changed since they were locked" in done.stderr


def test_numbered_tags_are_read_by_their_names() -> None:
    def tags(*names: str) -> datasets.Dataset:
        features = {
            "tokens": datasets.List(datasets.Value("string")),
            "tags": datasets.List(datasets.ClassLabel(names=list(names))),
        }
        return datasets.Dataset.from_dict(
            {"tokens": [["a", "b"]], "tags": [[0, 1]]}, features=datasets.Features(features)
        )

    columns = {"tokens": "tokens", "tags": "tags"}
    parameters = token_classification.Parameters(labels=("O", "B-x"))
    found = also_test.examples(token_classification, tags("B-x", "O", "B-y"), columns, parameters, None, "here")
    assert [target.tolist() for target in found.targets or ()] == [[1, 0]]
    with pytest.raises(DataError, match="here, row 0: label 'B-y' is none of the task's"):
        also_test.examples(token_classification, tags("O", "B-y"), columns, parameters, None, "here")
    named = {"one": "B-x", "none": "O"}
    found = also_test.examples(token_classification, tags("none", "one"), columns, parameters, named, "here")
    assert [target.tolist() for target in found.targets or ()] == [[0, 1]]
    plain = datasets.Dataset.from_dict({"tokens": [["a", "b"], ["c"]], "tags": [[3, 1], [3]]})
    found = also_test.examples(token_classification, plain, columns, parameters, {"1": "O", "3": "B-x"}, "here")
    assert [target.tolist() for target in found.targets or ()] == [[1, 0], [1]]
    with pytest.raises(DataError, match="here, row 0: label '3' is none of the task's"):
        also_test.examples(token_classification, plain, columns, parameters, {"1": "O", "4": "B-x"}, "here")


@pytest.mark.parametrize(
    ("labels", "given"),
    [([["c", "b"], [], ["d"]], {"d": "red", "b": "blue", "c": "red"}), ([[2, 1], [], [0]], ["red", "blue", "red"])],
)
def test_sets_of_labels_are_read_as_the_tasks_own(labels: Any, given: Any) -> None:
    data = datasets.Dataset.from_dict({"text": ["x", "y", "z"], "labels": labels})
    parameters = multi_label_classification.Parameters(labels=("blue", "green", "red"))
    columns = {"text": "text", "labels": "labels"}
    found = also_test.examples(multi_label_classification, data, columns, parameters, given, "here")
    assert [target.tolist() for target in found.targets or ()] == [[1, 0, 1], [0, 0, 0], [0, 0, 1]]


def test_whole_conversations_stand_for_prompt_and_answer_there_too(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(
        "name: s\nmodels: {m: org/m}\nregimes: {zero-shot: }\nsizes: [8]\ntasks:\n  talk:\n"
        "    kind: text-generation\n    data: org/talk\n    columns: {messages: turns}\n"
        "    also_test: {other: {data: org/other}}\n"
    )
    found = api.load_suite(tmp_path / "s.yaml").tasks["talk"]
    assert lock.also_spec(found, {})["also_test"]["other"]["columns"] == {"messages": "turns"}


def test_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (tmp_path / "resnet").mkdir()
    tiny_image("resnet", tmp_path / "resnet")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_images(tmp_path / name, 20 if name == "one" else 12)
    (tmp_path / "i.yaml").write_text(
        "name: i\nmodels: {r: ./resnet}\ntasks:\n  shades:\n    kind: image-classification\n    data: ./one\n"
        "    also_test: {dim: {data: ./two}}\nregimes: {linear-probe: {C: 1}}\nsizes: [8]\nseeds: 1\ntuning: null\n"
    )
    arguments = ["run", str(tmp_path / "i.yaml"), "--results", str(tmp_path / "r"), "--devices", "cpu"]
    done: Result = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    (record,) = records.read(tmp_path / "r/i").records
    assert record["status"] == "ok", record
    assert record["facts"]["also_test_examples"] == {"dim": 12}
