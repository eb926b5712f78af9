"""Tasks whose answer is a text, from a suite to its report: every regime that applies, on models of every kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pyarrow import parquet
from tiny_models import tiny_bert, tiny_causal, tiny_seq2seq

from bench import api, plugins
from bench.cli import main
from bench.store import paths, records

WORDS = ["the", "film", "plot", "end", "good", "bad", "dull", "joy"]
SUITE = """\
name: w
models: {marian: {folder: marian}, llama: {folder: llama}, bert: {folder: bert}}
tasks:
  reverse:
    kind: translation
    data: {files: a.jsonl}
    splits: {test: 0.3}
    metrics: [bleu, chrf]
    max_source: 16
    max_target: 12
    decoding: {max_new_tokens: 8, beams: 2}
  shorten:
    kind: summarization
    data: {files: a.jsonl}
    columns: {document: source, summary: target}
    splits: {test: 0.3}
    max_source: 16
    max_target: 12
    decoding: {max_new_tokens: 8}
regimes: {zero-shot: , linear-probe: , partial: {blocks: 1}, lora: {r: 2}, full: , retrain: }
sizes: [20]
label_noise: [0, 0.5]
seeds: 1
tuning: null
budget: {steps: 2}
training: {batch_size: 4, dropout: 0}
"""


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run of the suite, and its report."""
    folder = tmp_path_factory.mktemp("texts")
    for name in ("marian", "llama", "bert"):
        (folder / name).mkdir()
    tiny_seq2seq("marian", folder / "marian")
    tiny_causal("llama", folder / "llama")
    tiny_bert("BertForMaskedLM", folder / "bert")
    rows = [[WORDS[(i * k) % 8] for k in (1, 3, i % 5 + 1)] for i in range(60)]
    lines = [
        {"source": f"{' '.join(row)} {i}", "target": [" ".join(reversed(row)), row[0]]} for i, row in enumerate(rows)
    ]
    (folder / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "w.yaml").write_text(SUITE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("BENCH_CACHE", str(folder / "cache"))
        done = CliRunner().invoke(main, ["run", "w.yaml"])
        assert done.exit_code == 0, done.output
        done = CliRunner().invoke(main, ["report", "results"])
        assert done.exit_code == 0, done.output
    return folder


def found(ground: Path) -> list[dict[str, Any]]:
    read = records.read(ground / "results/w")
    assert not read.damaged
    return read.records


def test_every_regime_that_applies_has_a_score(ground: Path) -> None:
    scored = {(r["trial"]["names"]["model"], r["trial"]["names"]["regime"]) for r in found(ground)}
    trained = {"partial", "lora", "full", "retrain"}
    assert scored == {
        *(("marian", r) for r in trained | {"zero-shot"}),
        *(("llama", r) for r in trained | {"zero-shot"}),
        *(("bert", r) for r in trained),
    }
    assert {r["status"] for r in found(ground)} == {"ok"}


def test_what_does_not_apply_says_why(ground: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ground)
    reasons = {(c.names.model, c.names.regime): c.reason for c in api.plan(api.load_suite("w.yaml")).cells if c.reason}
    assert reasons["bert", "zero-shot"] is not None
    assert "it has not learnt to write text" in reasons["bert", "zero-shot"]
    assert reasons["marian", "linear-probe"] == "translation is not answered from one feature vector an example" or (
        reasons["marian", "linear-probe"] == "summarization is not answered from one feature vector an example"
    )


def test_scores_are_the_metrics_of_the_predictions_kept(ground: Path) -> None:
    for record in found(ground):
        trial = record["trial"]
        table = parquet.read_table(paths.predictions(ground / "results/w", trial["id"], record["attempt"])).to_pydict()
        for metric, value in record["scores"]["test"].items():
            module = plugins.load("metrics", metric)
            assert value == pytest.approx(module.score(table["references"], table["answer"]), abs=1e-6)
        assert record["scores"]["signatures"]
        assert record["costs"]["inference"]["tokens_per_second"] > 0
        beams = 2 if trial["names"]["task"] == "reverse" else 1
        assert record["facts"]["decoding"] | {"num_beams": beams, "max_new_tokens": 8} == record["facts"]["decoding"]
        assert {"copy", "lead"} & record["scores"]["baselines"].keys()


def test_noise_gives_half_of_the_examples_another_ones_target(ground: Path) -> None:
    noisy = [r for r in found(ground) if r["trial"]["noise"] == 0.5]
    assert noisy
    for record in noisy:
        assert record["facts"]["noisy_labels"] == 8 + 2  # of 16 to train and of 4 to validate


def test_the_report_names_the_metric_and_the_baseline(ground: Path) -> None:
    text = (ground / "results/w/report/report.md").read_text()
    assert "copy of the source" in text
    assert "first sentences" in text
    assert "bleu" in text
    assert "rouge\\-l" in text or "rouge-l" in text
