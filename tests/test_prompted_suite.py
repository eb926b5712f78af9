"""Few-shot, columns inside columns and conversations, from a suite to its records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pyarrow import parquet
from tiny_models import chat_model, tiny_bert
from tiny_tasks import write_texts

from bench import api, plugins
from bench.cli import main
from bench.store import paths, records

WORDS = ["the", "film", "plot", "end", "good", "bad", "dull", "joy"]
SUITE = """\
name: p
models: {chat: {folder: chat}, plain: {folder: plain}, bert: {folder: bert}, head: {folder: head}}
tasks:
  films:
    kind: text-classification
    data: {files: {train: train.csv, test: test.csv}}
    labels: [good, bad]
    max_length: 16
  reverse:
    kind: translation
    data: {files: pairs.jsonl}
    columns: {source: translation.en, target: translation.xx}
    splits: {test: 0.3}
    max_target: 12
    decoding: {max_new_tokens: 6}
  talk:
    kind: text-generation
    data: {files: talk.jsonl}
    columns: {messages: messages}
    metrics: [chrf]
    splits: {test: 0.3}
    max_target: 12
    decoding: {max_new_tokens: 6, beams: 2}
regimes: {zero-shot: , few-shot: {k: 3}}
sizes: [8]
seeds: 2
"""


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run of the suite."""
    folder = tmp_path_factory.mktemp("prompted")
    chat_model(folder / "chat")
    chat_model(folder / "plain", "llama", None)
    for name, kind in (("bert", "BertForMaskedLM"), ("head", "BertForSequenceClassification")):
        (folder / name).mkdir()
        tiny_bert(kind, folder / name, **({} if name == "bert" else {"id2label": {0: "BAD", 1: "good", 2: "odd"}}))
    write_texts(folder / "train.csv", 30, 0)
    write_texts(folder / "test.csv", 10, 1)
    rows = [f"{WORDS[i % 8]} {WORDS[i * 3 % 8]} {i}" for i in range(30)]
    pairs = [{"translation": {"en": row, "xx": row[::-1]}} for row in rows]
    talk = [
        {"messages": [{"role": role, "content": text} for role, text in
                      (("system", "be good"), ("user", "the film"), ("assistant", "joy"), ("user", row),
                       ("assistant", f"{row} it is"))]}
        for row in rows
    ]  # fmt: skip
    for name, lines in (("pairs", pairs), ("talk", talk)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "p.yaml").write_text(SUITE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("BENCH_CACHE", str(folder / "cache"))
        done = CliRunner().invoke(main, ["run", "p.yaml"])
        assert done.exit_code == 0, done.output
        for command in (["report", "results"], ["check", "results"]):
            done = CliRunner().invoke(main, command)
            assert done.exit_code == 0, done.output
    return folder


def found(ground: Path, model: str, task: str, regime: str) -> list[dict[str, Any]]:
    read = records.read(ground / "results/p").records
    return [r for r in read if r["trial"]["names"] == {"model": model, "task": task, "regime": regime}]


def test_few_shot_runs_where_a_way_takes_examples_and_says_why_elsewhere(
    ground: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {r["status"] for r in records.read(ground / "results/p").records} == {"ok"}
    monkeypatch.chdir(ground)
    cells = [c for c in api.plan(api.load_suite("p.yaml")).cells if c.names.regime == "few-shot"]
    reasons = {(c.names.model, c.names.task): c.reason for c in cells if c.state == "not_applicable"}
    assert set(reasons) == {("head", "films"), *((m, t) for m in ("bert", "head") for t in ("reverse", "talk"))}
    assert "own-head: it takes no examples in a prompt" in str(reasons["head", "films"])
    assert "it has not learnt to write text" in str(reasons["bert", "talk"])
    ran = [(c.names.model, c.names.task) for c in cells if c.state == "planned"]
    assert all(len(found(ground, *pair, "few-shot")) == 2 for pair in ran)
    assert len(ran) == 3 + 2 + 2


def test_the_record_holds_what_was_asked(ground: Path) -> None:
    words = {"labels": ["good", "bad"]}
    for model, way in (("plain", "likelihood"), ("bert", "cloze")):
        for regime in ("zero-shot", "few-shot"):
            facts = found(ground, model, "films", regime)[0]["facts"]
            assert facts | words | {"templates": list(plugins.load("zeroshot", way).TEMPLATES)} == facts
            assert facts.get("shots") == (3 if regime == "few-shot" else None)
    facts = found(ground, "head", "films", "zero-shot")[0]["facts"]
    assert facts["label_map"] == {"BAD": "bad", "good": "good"}
    assert "templates" not in facts
    for model in ("chat", "plain"):
        for task in ("reverse", "talk"):
            facts = found(ground, model, task, "few-shot")[0]["facts"]
            assert (facts["template"], facts["chat_template"]) == ("{text}", model == "chat")


def test_the_record_holds_how_it_was_written(ground: Path) -> None:
    for regime in ("zero-shot", "few-shot"):
        for task, beams in (("reverse", 1), ("talk", 2)):
            record = found(ground, "chat", task, regime)[0]
            decoding = record["facts"]["decoding"]
            assert (decoding["num_beams"], decoding["max_new_tokens"], decoding["do_sample"]) == (beams, 6, False)
            inference = record["costs"]["inference"]
            assert all(inference[key] > 0 for key in ("tokens_per_second", "latency_seconds", "examples_per_second"))


def test_seeds_differ_in_their_shots(ground: Path) -> None:
    for model, task in (("plain", "films"), ("chat", "reverse")):
        one, two = found(ground, model, task, "few-shot")
        tables = [
            parquet.read_table(paths.predictions(ground / "results/p", r["trial"]["id"], r["attempt"])).to_pydict()
            for r in (one, two)
        ]
        column = "log_probabilities" if task == "films" else "answer"
        assert tables[0][column] != tables[1][column]


def test_the_copy_of_a_conversation_is_what_the_user_last_said(ground: Path) -> None:
    record = found(ground, "plain", "talk", "few-shot")[0]
    assert record["scores"]["baselines"]["copy"]["chrf"] > 50  # "x y 3" of "x y 3 it is"
    table = parquet.read_table(
        paths.predictions(ground / "results/p", record["trial"]["id"], record["attempt"])
    ).to_pydict()
    assert all(references[0].endswith(" it is") for references in table["references"])


def test_a_column_inside_another_is_what_is_translated(ground: Path) -> None:
    record = found(ground, "chat", "reverse", "zero-shot")[0]
    table = parquet.read_table(
        paths.predictions(ground / "results/p", record["trial"]["id"], record["attempt"])
    ).to_pydict()
    rows = {f"{WORDS[i % 8]} {WORDS[i * 3 % 8]} {i}"[::-1] for i in range(30)}
    assert table["references"]
    assert {one for (one,) in table["references"]} <= rows
