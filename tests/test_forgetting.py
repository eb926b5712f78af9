"""Forgetting: what training for one task costs the model on tasks that the suite names."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import tiny_bert

from bench import api
from bench.planning import lock as locks
from bench.planning.plan import build
from bench.suite.trial import SCHEMA
from bench.trial.prepare import prepare
from bench.trial.run import run

WORDS = {"good": ["good", "great"], "bad": ["bad", "awful"]}
SUITE = """
name: forgetting
models: {tiny: ./model}
tasks:
  mood: {kind: text-classification, data: {files: data.csv}, splits: {test: 0.4}, labels: [good, bad], max_length: 32}
regimes:
  zero-shot: {way: cloze}
  still: {regime: full, learning_rate: 1e-12, steps: 3}
  moved: {regime: full, learning_rate: 1e-1, steps: 3}
  lora: {learning_rate: 1e-1, steps: 3, r: 2}
sizes: [16]
seeds: 1
forgetting: [mood]
"""


@pytest.fixture
def records(tmp_path: Path) -> dict[str, dict[str, Any]]:
    """Each regime's record of a suite on a tiny masked language model."""
    (tmp_path / "model").mkdir()
    tiny_bert("BertForMaskedLM", tmp_path / "model")
    with (tmp_path / "data.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        rows.writerows(
            [f"{word} story {i}", mood] for i in range(30) for mood, words in WORDS.items() for word in words
        )
    (tmp_path / "suite.yaml").write_text(SUITE)
    suite = api.load_suite(tmp_path / "suite.yaml")
    lock: dict[str, Any] = {"schema": SCHEMA, "models": {}, "tasks": {}, "regimes": {}}
    for section, name, _, order in locks.orders(suite, lock):
        lock[section][name] = {"request": order["request"], **prepare(order)}
    found = {}
    for trial in build(suite, lock, {}).trials().values():
        record: dict[str, Any] = {}
        files = lock["models"]["tiny"]["files"]
        order = {"trial": trial.to_json(), "attempt": "a", "results": str(tmp_path / "results"), "files": files}
        run(order, torch.device("cpu"), 1, lambda *_: None, record)
        found[trial.names.regime] = record
    return found


def test_the_zero_shot_score_and_the_pretraining_loss_before_and_after(records: dict[str, dict[str, Any]]) -> None:
    zero = records["zero-shot"]["scores"]["test"]["accuracy"]
    assert "forgetting" not in records["zero-shot"]["scores"]
    still, moved, lora = (records[r]["scores"]["forgetting"]["mood"] for r in ("still", "moved", "lora"))
    for found in (still, moved, lora):
        assert found["accuracy"]["before"] == pytest.approx(zero)
        assert found["masked_lm_loss"]["before"] == still["masked_lm_loss"]["before"]
    assert still["accuracy"]["after"] == pytest.approx(zero)
    assert still["masked_lm_loss"]["after"] == pytest.approx(still["masked_lm_loss"]["before"], rel=1e-5)
    for found in (moved, lora):
        assert abs(found["masked_lm_loss"]["after"] - found["masked_lm_loss"]["before"]) > 1e-3


def test_the_time_it_takes_is_a_stage_of_its_own(records: dict[str, dict[str, Any]]) -> None:
    assert records["moved"]["costs"]["seconds"]["forgetting"] > 0
    assert "forgetting" not in records["zero-shot"]["costs"]["seconds"]
