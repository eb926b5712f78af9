"""A report's Setup says what a reader needs to run it again: from records first, then the plan and the lock."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from factory import Factory, trial

from bench import api, report
from bench.analysis import frame
from bench.analysis.setup import setup
from bench.planning.tuning import searched
from bench.report.section import Section, sections
from bench.report.table import Table
from bench.store import atomic, paths
from bench.suite.trial import Json, Trial

TASK = {
    "kind": "text-classification", "version": 1, "columns": {"text": "sentence", "label": "label"},
    "splits": {"train": "train", "test": "validation"},
    "data": {"source": "hub", "parameters": {"hub": "org/films", "config": None}, "fingerprint": "c" * 40},
    "parameters": {"labels": ["bad", "good"], "max_length": 48, "metrics": []},
}  # fmt: skip
MODEL = {
    "source": "hub", "version": 1, "fingerprint": "a" * 40,
    "parameters": {"hub": "org/mini", "dtype": "float32", "pooling": None},
}  # fmt: skip
TRAINING = {"batch_size": 16, "schedule": "linear", "warmup": 0.1, "precision": "fp32"}
LORA = {"config": "LoraConfig", "r": 8}


def real(of: Trial, kind: str, parameters: Json, value: float | None = None, **own: Any) -> Json:
    """A fabricated trial with the parts that a real one has."""
    return replace(
        of, task=TASK, model=MODEL, regime={"kind": kind, "version": 1, "parameters": parameters},
        tuned={"learning_rate": value} if value else {}, training=TRAINING,
        budget={"epochs": 3.0, "min_steps": 50}, **own,
    ).to_json() | {"id": of.id}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Zero-shot; LoRA tuned over the default range at one size and waiting at another; a fixed full fine-tuning."""
    factory = Factory(tmp_path / "films")
    facts = {"train_examples": 51, "validation_examples": 13, "test_examples": 200, "pooling": "mean"}
    (zero,) = factory.cell("zero-shot", 0, None, seeds=1)
    asked = {"method": "similarity", "templates": ["A {label} film.", "{text}\n{label}"], "labels": ["bad", "good"]}
    way = {"prior": False, "way": None}
    factory.record(zero, 0.6, trial=real(zero, "zero-shot", way), facts={"test_examples": 200, **asked})
    tuned = factory.cell("lora-r8", 64, None, tuning=3, on_edge=True)
    tries = [trial("minilm", "sst2", "lora-r8", 64, 0.0, 1000 + i) for i in range(3)]
    for one, value in zip(tries, (3e-4, 1.73205e-3, 1e-2), strict=True):
        factory.record(one, 0.7, trial=real(one, "lora", LORA, value), facts=facts)
    for one in tuned:
        signatures = {"signatures": {"accuracy": "a library|1.0"}}
        costs = {"parameters": {"total": 22.7e6, "trainable": 1e5}}
        factory.record(
            one, 0.8, trial=real(one, "lora", LORA, 3e-4), facts=facts, also=signatures, costs=costs, bench="9.9"
        )
    factory.cell("lora-r8", 256, None, tuning=3, state="waiting")
    factory.plan["cells"][-1] |= {
        "tuned": {},
        "range": {"parameter": "learning_rate", "low": 3e-4, "high": 1e-2, "default": True},
    }
    for one in factory.cell("full", 64, None, seeds=2):
        factory.record(one, 0.7, trial=real(one, "full", {}, 2e-5), facts=facts)
    factory.plan["cells"][-1]["tuned"] = {"learning_rate": 2e-5}
    factory.cell("retrain", 64, None)
    lock = {
        "sst2": {
            **{"request": {}, "fingerprint": "t", "labels": ["bad", "good"]},
            "classes": {"train": [500, 400], "test": [100, 100]},
            "summary": {"rows": {"train": 900}, "remarks": ["3 texts are empty"]},
        }
    }
    models = {"minilm": {"request": {}, "fingerprint": "m", "files": {}, "remarks": ["no tokenizer of its own"]}}
    found = factory.finish()
    atomic.write_json(paths.lock(found), {"schema": 1, "models": models, "tasks": lock, "regimes": {}})
    return found


def section_of(folder: Path) -> Section:
    (found,) = sections(frame.load(folder))
    return found


def rows(table: Table) -> dict[str, list[str]]:
    return {row[0].text: [cell.text + cell.marks for cell in row[1:]] for row in table.rows}


def test_setup_says_what_was_compared_and_how(folder: Path) -> None:
    section = section_of(folder)
    suite, tasks, models, regimes, chosen, prompts = section.setup
    told = rows(suite)
    assert told["seeds"] == ["0, 1, 2"]
    assert told["validation"] == ["20 % of the labels"]
    assert told["tuning"] == [
        "up to 3 trials a regime and size, by validation on seeds 1000, 1001, 1002 and clean labels (an older protocol)"
    ]
    assert (told["schedule"], told["precision"], told["bench"]) == (["linear"], ["fp32"], ["9.9"])
    assert told["environment"][0].startswith("CPU, 1 thread, fp32, Test CPU")
    what, examples, metric = rows(tasks)["sst2"]
    assert what.startswith("text-classification, 2 classes; hub org/films at cccccccccccc; splits train=train, test=")
    assert examples == "900 to choose from; 64 = 51 + 13; 200 to test"
    assert metric == "accuracy"
    assert tasks.notes == ["sst2, accuracy: a library|1.0."]
    assert rows(models)["minilm"] == ["hub org/mini", "aaaaaaaaaaaa", "23 M", "float32", "mean"]
    budget = ["3 epochs, at least 50 steps", "16"]
    assert rows(regimes) == {
        "zero-shot": ["prior=no", "nothing", *budget],
        "lora-r8 (lora)": [
            "config=LoraConfig, r=8",
            "learning_rate: 3 trials, 0.0003 to 0.01",
            *budget,
        ],
        "full": ["–", "learning_rate: 2e-05, fixed", *budget],
        "retrain": ["no trial has run yet", "nothing", "–", "–"],
    }
    assert [[cell.text + cell.marks for cell in row] for row in chosen.rows] == [
        ["sst2", "minilm", "lora-r8", "learning_rate", "0.0003‡", "not yet"]
    ]
    assert rows(prompts) == {
        "minilm on sst2: zero-shot by similarity": [r"“A {label} film.” · “{text}\n{label}”", "bad, good"]
    }
    assert {"sst2: 3 texts are empty", "minilm: no tokenizer of its own"} <= set(section.notes)


def test_setup_stands_in_every_format(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    report.write(sections(frame.load(folder)), out)
    names = {f"setup-{name}.tex" for name in ("suite", "tasks", "models", "regimes", "chosen", "prompts")}
    assert names == {path.name for path in (out / "tables").glob("setup-*.tex")}
    assert r"\label{tab:nlp-setup-regimes}" in (out / "tables/setup-regimes.tex").read_text()
    assert "\n## Setup\n" in (out / "report.md").read_text()
    cells = pd.read_csv(out / "setup.csv")
    lora = cells[(cells["regime"] == "lora-r8") & (cells["size"] == 64)].iloc[0]
    assert (lora["low"], lora["high"], lora["chosen"], lora["batch_size"]) == (3e-4, 1e-2, 3e-4, 16)
    assert json.loads(lora["tried"]) == [3e-4, 1.73205e-3, 1e-2]
    assert json.loads(lora["parameters"]) == LORA
    assert (lora["data_fingerprint"], lora["model_fingerprint"]) == ("c" * 40, "a" * 40)


def test_where_nothing_or_little_is_known_setup_is_short_and_whole(tmp_path: Path) -> None:
    factory = Factory(tmp_path / "r")
    factory.cell("lora", 64, None)
    section = section_of(factory.finish())
    assert rows(section.setup[1]) == {"sst2": ["no trial has run yet", "–", "–"]}
    assert all(cell.text for table in section.setup for row in table.rows for cell in row)
    factory = Factory(tmp_path / "n")
    factory.cell("lora", 64, None, state="not_applicable")
    assert section_of(factory.finish()).setup == []


def test_a_damaged_lock_is_a_remark(folder: Path) -> None:
    paths.lock(folder).write_text("{")
    section = section_of(folder)
    assert any(note.startswith("No lock to tell of") for note in section.notes)
    assert rows(section.setup[1])["sst2"][1] == "64 = 51 + 13; 200 to test"


SUITE = """\
name: s
models: {m: org/m}
tasks: {t: {kind: text-classification, data: {files: a.csv}, splits: {test: 0.2}}}
regimes:
  zero-shot:
  full:
  wide: {regime: full, learning_rate: [1e-6, 1e-3]}
  one: {regime: full, learning_rate: 1e-4}
sizes: [64]
"""


def test_the_plan_says_the_range_of_every_cell(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SUITE)
    suite = api.load_suite(tmp_path / "s.yaml")
    found = {name: searched(regime, None) for name, regime in suite.regimes.items()}
    assert {name: search.to_json() for name, search in found.items() if search is not None} == {
        "full": {"parameter": "learning_rate", "low": 5e-6, "high": 2e-3, "start": 5e-5, "default": True},
        "wide": {"parameter": "learning_rate", "low": 1e-6, "high": 1e-3, "start": pytest.approx(3.16e-5, rel=1e-2),
                 "default": False},
        "one": {"parameter": "learning_rate", "low": 1e-4, "high": 1e-4, "start": pytest.approx(1e-4),
                "default": False},
    }  # fmt: skip
    assert found["zero-shot"] is None


def test_old_plans_without_ranges_are_read(folder: Path) -> None:
    (results,) = frame.load(folder)
    at = setup(results, {"tasks": {}, "models": {}}).set_index(["regime", "size"])
    assert at.loc[("full", 64), ["low", "high", "default_range"]].tolist() == [2e-5, 2e-5, False]
    assert at.loc[("zero-shot", 0), "low"] is None
