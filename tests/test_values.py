"""Numbers and sets of labels, from a suite to its report: every regime that applies, on tiny models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from pyarrow import parquet
from tiny_models import tiny_bert
from tiny_tasks import question

from bench import api, plugins
from bench.cli import main
from bench.errors import NotApplicable
from bench.modeling.models.facts import Facts
from bench.store import paths, records
from bench.suite.trial import Json

WORDS = ["the", "film", "plot", "end", "start", "has", "long", "and", "from", "a"]
MARKS = ["good", "dull", "joy"]
SUITE = """\
name: v
models: {bert: {folder: bert}, sentence: {folder: sentence}, scorer: {folder: scorer}, tagger: {folder: tagger}}
tasks:
  alike: {kind: text-regression, data: {files: a.jsonl}, splits: {test: 0.3}, columns: {text_pair: other},
          metrics: [spearman, pearson, mean-squared-error], max_length: 24, label_noise: [0, 0.5]}
  marks: {kind: multi-label-classification, data: {files: a.jsonl}, splits: {test: 0.3},
          metrics: [micro-f1, label-macro-f1, subset-accuracy], max_length: 24}
regimes:
  zero-shot:
  linear-probe: {C: 0.1}
  partial: {blocks: 1}
  lora: {r: 4}
  full: {learning_rate: 0.01, steps: 150}
  retrain:
sizes: [100]
seeds: 1
tuning: null
budget: {steps: 3}
training: {batch_size: 8, dropout: 0}
"""


def write_rows(path: Path, count: int) -> None:
    """Texts with some of three marks in them, none at times, and pairs that are the more alike the more they share."""
    random = np.random.default_rng(0)
    with path.open("w") as file:
        for number in range(count):
            marks = [mark for mark in MARKS if random.random() < 0.4]
            words = [*random.choice(WORDS, 4), *marks, str(number)]
            random.shuffle(words)
            shared = int(random.integers(0, len(words) + 1))
            other = [*words[:shared], *random.choice(MARKS, len(words) - shared)]
            row = {"text": " ".join(words), "other": " ".join(other), "value": len(marks) / 2, "labels": marks}
            file.write(json.dumps(row) + "\n")


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run of the suite, and its report."""
    folder = tmp_path_factory.mktemp("values")
    for name in ("bert", "sentence", "scorer", "tagger"):
        (folder / name / "1_Pooling").mkdir(parents=True)
    tiny_bert("BertForMaskedLM", folder / "bert")
    tiny_bert("BertModel", folder / "sentence")
    kinds = ("Transformer", ""), ("Pooling", "1_Pooling")
    modules = [{"path": path, "type": f"sentence_transformers.models.{kind}"} for kind, path in kinds]
    (folder / "sentence/modules.json").write_text(json.dumps(modules))
    (folder / "sentence/1_Pooling/config.json").write_text('{"pooling_mode_mean_tokens": true}')
    tiny_bert("BertForSequenceClassification", folder / "scorer", num_labels=1)
    tiny_bert("BertForSequenceClassification", folder / "tagger", id2label=dict(enumerate(["x", *MARKS])))
    write_rows(folder / "a.jsonl", 220)
    (folder / "v.yaml").write_text(SUITE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("BENCH_CACHE", str(folder / "cache"))
        run = ["run", "v.yaml", "--devices", "cpu", "--only"]
        for arguments in (
            [*run, "model=bert"], [*run, "regime=zero-shot"], ["report", "results"], ["check", "results/v"]
        ):  # fmt: skip
            done = CliRunner().invoke(main, arguments)
            assert done.exit_code == 0, done.output
    return folder


def found(ground: Path, task: str) -> list[Json]:
    read = records.read(ground / "results/v")
    assert not read.damaged
    return [r for r in read.records if r["trial"]["names"]["task"] == task]


def test_every_regime_that_applies_has_a_score(ground: Path) -> None:
    learning = {"linear-probe", "partial", "lora", "full", "retrain"}
    for task, unlearnt in (("alike", {"sentence", "scorer"}), ("marks", {"tagger"})):
        assert {r["status"] for r in found(ground, task)} == {"ok"}
        scored = {(r["trial"]["names"]["model"], r["trial"]["names"]["regime"]) for r in found(ground, task)}
        assert scored == {*(("bert", r) for r in learning), *((m, "zero-shot") for m in unlearnt)}


def test_scores_are_the_metrics_of_the_predictions_kept(ground: Path) -> None:
    for record in found(ground, "alike") + found(ground, "marks"):
        place = paths.predictions(ground / "results/v", record["trial"]["id"], record["attempt"])
        table = parquet.read_table(place).to_pydict()
        if "value" in table:
            targets, answers = np.array(table["value"]), np.array(table["answer"])
        else:
            answers = np.array(table["probabilities"])
            targets = np.array([[int(label in row) for label in range(3)] for row in table["labels"]])
        for metric, value in record["scores"]["test"].items():
            assert value == pytest.approx(plugins.load("metrics", metric).score(targets, answers), abs=1e-6)


def best(ground: Path, task: str, regime: str, metric: str) -> float:
    clean = [r for r in found(ground, task) if not r["trial"]["noise"] and r["trial"]["names"]["regime"] == regime]
    return max(float(r["scores"]["test"][metric]) for r in clean)


def test_what_a_text_holds_is_learnt(ground: Path) -> None:
    """The value and the labels stand in the text, so that training must find them."""
    assert best(ground, "alike", "full", "spearman") > 0.75
    assert best(ground, "marks", "full", "micro-f1") > 0.8
    assert best(ground, "alike", "linear-probe", "spearman") > 0.3
    assert best(ground, "marks", "linear-probe", "micro-f1") > 0.45


def test_values_are_answered_in_their_own_unit(ground: Path) -> None:
    errors = [r["scores"]["test"]["mean-squared-error"] for r in found(ground, "alike")
              if r["trial"]["names"]["regime"] == "full" and not r["trial"]["noise"]]  # fmt: skip
    variance = np.var([json.loads(line)["value"] for line in (ground / "a.jsonl").read_text().splitlines()])
    assert min(errors) < variance / 2


def test_baselines_are_the_same_for_all_who_saw_the_same_labels(ground: Path) -> None:
    for task, metric, trivial in (("alike", "spearman", "mean"), ("marks", "micro-f1", "majority")):
        every = found(ground, task)
        assert {r["scores"]["baselines"][trivial][metric] for r in every} == {0.0}  # no label is had by more than half
        assert {r["trial"]["size"] for r in every if "tf-idf" not in r["scores"]["baselines"]} == {0}
        by_noise: dict[float, set[float]] = {}
        for record in (r for r in every if r["trial"]["size"]):
            by_noise.setdefault(record["trial"]["noise"], set()).add(record["scores"]["baselines"]["tf-idf"][metric])
        assert {len(scores) for scores in by_noise.values()} == {1}
        assert by_noise[0].pop() > max([0.2, *by_noise.get(0.5, ())])
    assert len([p for p in (ground / "cache/tf-idf").iterdir() if p.is_dir()]) == 3  # one task of two with two rates


def test_noise_gives_half_of_the_examples_another_ones_target(ground: Path) -> None:
    noisy = [r for r in found(ground, "alike") if r["trial"]["noise"]]
    assert {r["facts"]["noisy_labels"] for r in noisy} == {40 + 10}  # of 80 to train and of 20 to validate


def test_what_does_not_apply_says_why(ground: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ground)
    cells = api.plan(api.load_suite("v.yaml")).cells
    reasons: dict[Any, str] = {(c.names.task, c.names.model): str(c.reason) for c in cells if c.reason}
    assert "own-value: it has no sequence-classification head of one output" in reasons["alike", "bert"]
    assert "cosine: it is no sentence encoder" in reasons["alike", "tagger"]
    assert "own-labels: its head's labels LABEL_0 do not fit" in reasons["marks", "scorer"]


def test_a_way_that_does_not_fit_the_task_is_refused_whatever_the_model() -> None:
    facts = Facts.from_files({"config.json": "{}", "modules.json": '[{"type": "x.Transformer"}]'})
    zero_shot = plugins.load("regimes", "zero-shot")
    cosine = zero_shot.Parameters(way="cosine")
    for objective, columns, said in (
        ("values", ("text", "value"), "the task names no column text_pair"),
        ("label-sets", ("text", "text_pair"), "cosine answers with values, the task asks for label-sets"),
    ):
        with pytest.raises(NotApplicable, match=said):
            zero_shot.resolve(facts, question(objective=objective, columns=columns), cosine)


def test_the_report_shows_every_baseline(ground: Path) -> None:
    text = (ground / "results/v/report/report.md").read_text()
    for words in ("spearman on alike", "micro-f1 on marks", "mean value", "majority class", "TF-IDF, linear"):
        assert words in text.replace("\\", "")
    head = (ground / "results/v/report/cells.csv").read_text().splitlines()[0].split(",")
    named = [name for name in head if name.startswith("baseline_")]
    assert named == ["baseline_majority", "baseline_mean", "baseline_tf-idf"]
