"""From a suite file to records, through the commands and real worker processes, on tiny models and data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from pyarrow import parquet
from shared_executor import share
from tiny_models import tiny_bert, tiny_image
from tiny_tasks import order, text_task, trial, write_images, write_texts

from bench.cli import main
from bench.execution.executors.local import Local
from bench.modeling.encoding.arrays import Tokens
from bench.store import records
from bench.suite.trial import Json
from bench.training import loop
from bench.trial.run import run, status_of

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # PEFT asks transformers so

SUITE = """\
name: small
models: {bert: {folder: bert}, resnet: ./resnet}
tasks:
  films:
    kind: text-classification
    data: {files: {train: train.csv, test: test.csv}}
    labels: [good, bad]
    label_noise: [0, 0.2]
    max_length: 32
  shades:
    kind: image-classification
    data: {folder: images}
regimes:
  zero-shot:
  linear-probe: {C: [0.01, 10]}
  partial: {blocks: 1, learning_rate: 0.003}
  too-deep: {regime: partial, blocks: 9, learning_rate: 0.003}
  lora: {r: 2, learning_rate: 0.01}
  full: {learning_rate: 0.001}
  retrain: {learning_rate: 0.001}
sizes: [24]
seeds: 1
tuning: {trials: 2}
budget: {steps: 5}
training: {batch_size: 8}
"""
TRIALS = 1 + 2 + 5 * 2 + 1 + 5


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a suite and all that it names."""
    folder = tmp_path_factory.mktemp("home")
    tiny_bert("BertForMaskedLM", folder / "bert")
    tiny_image("resnet", folder / "resnet")
    write_texts(folder / "train.csv", 40, 0)
    write_texts(folder / "test.csv", 20, 1)
    write_images(folder / "images", 40)
    (folder / "suite.yaml").write_text(SUITE)
    return folder


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """One executor, with a cache of its own, for all tests of this file that do not start theirs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_CACHE", str(tmp_path_factory.mktemp("server-cache")))
        patch.setenv("OMP_NUM_THREADS", "1")
        started = Local()
        started.start()
    yield started
    started.close()


@pytest.fixture
def bench(local: Local, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a command here, its trials by the shared executor."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    share(local, monkeypatch)
    return lambda *arguments: CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def swept(home: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The results folder of the whole suite, run by the console command in a process of its own, and what it said."""
    cache = tmp_path_factory.mktemp("command-cache")
    done = subprocess.run(
        [sys.executable, "-c", "from bench.cli import main; main()", "run", "suite.yaml", "--devices", "cpu"],
        cwd=home, env={**os.environ, "BENCH_CACHE": str(cache), "OMP_NUM_THREADS": "1",
                       "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return home / "results", done.stdout


def by_trial(results: Path) -> dict[str, Json]:
    return records.latest(records.read(results / "small").records)


def artifact(results: Path, record: Json, name: str) -> Path:
    return results / "small" / "artifacts" / record["trial"]["id"] / record["attempt"] / name


def test_every_trial_runs_and_one_that_cannot_says_why(swept: tuple[Path, str]) -> None:
    found = by_trial(swept[0])
    assert len(found) == TRIALS
    assert f"{TRIALS} trials executed" in swept[1]
    for record in found.values():
        if record["trial"]["names"]["regime"] == "too-deep":
            assert record["status"] == "not_applicable"
            assert "blocks: 9" in record["cause"]
        else:
            assert record["status"] == "ok", record["log"]
    plan = json.loads((swept[0] / "small" / "plan.json").read_text())
    reasons = {(c["model"], c["task"]): c["reason"] for c in plan["cells"] if c["state"] == "not_applicable"}
    assert "the model takes image, the task is text" in reasons["resnet", "films"]


def test_a_record_holds_what_its_regime_measures(swept: tuple[Path, str]) -> None:
    for record in by_trial(swept[0]).values():
        if record["status"] != "ok":
            continue
        regime = record["trial"]["regime"]["kind"]
        costs, facts = record["costs"], record["facts"]
        assert ("validation" in record["scores"]) == (regime != "zero-shot")
        assert costs["seconds"]["total"] >= 0.99 * sum(v for k, v in costs["seconds"].items() if k != "total")
        assert ("flops" in costs) == (regime not in ("zero-shot", "linear-probe"))
        assert not any("allocated" in key for key in costs["memory_bytes"])  # absent on a CPU
        if regime != "zero-shot":
            assert facts["train_examples"] + facts["validation_examples"] == 24
            wrong = round(0.2 * facts["train_examples"]) + round(0.2 * facts["validation_examples"])
            assert facts["noisy_labels"] == (wrong if record["trial"]["noise"] else 0)
        table = parquet.read_table(artifact(swept[0], record, "predictions.parquet")).to_pydict()
        count = 20 if record["trial"]["names"]["task"] == "films" else 40
        assert len(set(table["example"])) == facts["test_examples"] == count
        assert sum(table["outcome"]) / len(table["outcome"]) == pytest.approx(record["scores"]["test"]["accuracy"])


def test_running_again_executes_nothing(home: Path, swept: tuple[Path, str], bench: Callable[..., Result]) -> None:
    again = bench("run", home / "suite.yaml", "--results", swept[0], "--devices", "cpu")
    assert again.exit_code == 0, again.output
    assert "0 trials executed" in again.output


def test_a_renamed_model_keeps_its_results(home: Path, swept: tuple[Path, str], bench: Callable[..., Result]) -> None:
    renamed = home / "renamed.yaml"
    renamed.write_text(SUITE.replace("bert: {folder", "encoder: {folder"))
    again = bench("run", renamed, "--results", swept[0], "--devices", "cpu")
    assert again.exit_code == 0, again.output
    assert "0 trials executed" in again.output
    plan = json.loads((swept[0] / "small" / "plan.json").read_text())
    assert {cell["model"] for cell in plan["cells"]} == {"encoder", "resnet"}


def test_the_same_suite_elsewhere_gives_the_same_bits(
    home: Path, swept: tuple[Path, str], bench: Callable[..., Result], tmp_path: Path
) -> None:
    done = bench("run", home / "suite.yaml", "--results", tmp_path, "--devices", "cpu")
    assert done.exit_code == 0, done.output
    first, second = by_trial(swept[0]), by_trial(tmp_path)
    assert first.keys() == second.keys()
    for name, record in first.items():
        other = second[name]
        assert (record["status"], record.get("scores")) == (other["status"], other.get("scores"))
        assert record["environment"] == other["environment"]
        if record["status"] == "ok":
            curves = [artifact(r, a, "curve.json").read_text() for r, a in ((swept[0], record), (tmp_path, other))]
            assert curves[0] == curves[1]
        if "test" in record.get("scores", {}):
            one, two = (artifact(r, a, "predictions.parquet") for r, a in ((swept[0], record), (tmp_path, other)))
            assert parquet.read_table(one).equals(parquet.read_table(two))


def test_a_trial_alone_scores_as_it_does_within_the_sweep(
    home: Path, swept: tuple[Path, str], bench: Callable[..., Result], tmp_path: Path
) -> None:
    only = ["--only", "regime=lora,retrain", "--only", "task=films", "--only", "noise=0.2"]
    done = bench("run", home / "suite.yaml", "--results", tmp_path, "--devices", "cpu", *only)
    assert done.exit_code == 0, done.output
    alone = by_trial(tmp_path)
    assert len(alone) == 2
    for name, record in alone.items():
        assert record["scores"] == by_trial(swept[0])[name]["scores"]


def test_a_task_compared_by_a_metric_where_lower_is_better(
    home: Path, bench: Callable[..., Result], tmp_path: Path
) -> None:
    suite = home / "brier.yaml"
    regimes = "regimes:\n  zero-shot:\n  linear-probe: {C: [1e-6, 100]}\nsizes"
    text = SUITE.replace("max_length: 32", "metrics: [brier, calibration-error, accuracy]")
    text = text[: text.index("regimes:")] + regimes + text[text.index("\nsizes") + len("\nsizes") :]
    suite.write_text(text.replace("bert: {folder: bert}, resnet: ./resnet", "bert: {folder: bert}"))
    done = bench("run", suite, "--results", tmp_path, "--devices", "cpu", "--only", "noise=0")
    assert done.exit_code == 0, done.output
    found = by_trial(tmp_path).values()
    (probe,) = (r for r in found if r["trial"]["size"])
    tried, mean = probe["facts"]["tried"], sum(probe["scores"]["validation_parts"]) / 24
    assert (min(tried), max(tried)) == (1e-6, 100)
    assert probe["facts"]["tuned"]["C"] in tried
    assert probe["scores"]["validation"]["brier"] == pytest.approx(mean)  # out of fold, over all 24 labels
    assert set(probe["scores"]["test"]) == {"brier", "calibration-error", "accuracy"}
    table = parquet.read_table(artifact(tmp_path, probe, "predictions.parquet")).to_pydict()
    assert sum(table["outcome"]) / len(table["outcome"]) == pytest.approx(probe["scores"]["test"]["brier"])
    assert bench("check", tmp_path / "small").exit_code == 0
    report = bench("report", tmp_path / "small", "--out", tmp_path / "report")
    assert report.exit_code == 0, report.output
    assert "brier (lower is better) on films with bert" in next((tmp_path / "report").rglob("report.md")).read_text()


@pytest.mark.parametrize(
    ("replace", "said"),
    [
        (("train.csv", "nowhere.csv"), "nowhere.csv: No such file or directory; check `files`"),
        (("max_length: 32", "columns: {text: review}"), "no column 'review'; it has text, label"),
        (("[good, bad]", "[good, awful]"), "label 'bad' is not among labels"),
        (("{folder: bert}", "{folder: brt}"), "brt: is no folder"),
        (("{folder: images}", "{folder: train.csv}"), "train.csv: is no folder"),
        (("{r: 2,", "{rr: 2,"), "wrong.yaml:18: regimes.lora.rr: PEFT's LoraConfig has no such parameter"),
        (("train: train.csv, test", "train: train.csv, dev"), "no split 'test'; the data has"),
    ],
)
def test_a_mistake_in_what_a_suite_names_is_one_line_before_anything_trains(
    replace: tuple[str, str], said: str, home: Path, bench: Callable[..., Result], tmp_path: Path
) -> None:
    suite = home / "wrong.yaml"
    assert replace[0] in SUITE
    suite.write_text(SUITE.replace(*replace))
    done = bench("run", suite, "--results", tmp_path, "--devices", "cpu")
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.output
    assert not list(tmp_path.rglob("*.jsonl"))
    assert not list(tmp_path.rglob("curve.json"))


@pytest.fixture
def small(tmp_path: Path) -> Callable[..., tuple[Json, Json]]:
    """Runs one trial in this process: (its record, its curve)."""
    tiny_bert("BertModel", tmp_path / "model")
    task = text_task(tmp_path, test=40)

    def start(regime: str, name: str) -> tuple[Json, Json]:
        record: Json = {}
        spec = order(trial(tmp_path / "model", task, regime), tmp_path / name)
        run(spec, torch.device("cpu"), 1, lambda stage, done, total: None, record)
        return record, json.loads(next((tmp_path / name).rglob("curve.json")).read_text())

    return start


def refuse(most: int, collate: Callable[..., Any]) -> Callable[..., Any]:
    def limited(*arguments: Any) -> Any:
        if len(arguments[-1]) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return collate(*arguments)

    return limited


def small_device(most: int) -> Callable[..., Any]:
    """The loop on a device that has room for so many examples."""
    return lambda model, goal, *a, **k: loop.train(model, replace(goal, loss=refuse(most, goal.loss)), *a, **k)


def test_a_full_device_halves_the_micro_batch_and_keeps_the_effective_one(
    small: Callable[..., tuple[Json, Json]], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, curve = small("full", "whole")
    monkeypatch.setattr("bench.training.fit.train", small_device(3))
    halved, other = small("full", "halved")
    assert whole["costs"]["batch"] == {"size": 8, "micro": 8, "accumulation": 1}
    assert halved["costs"]["batch"] == {"size": 8, "micro": 2, "accumulation": 4}
    assert other["losses"] == pytest.approx(curve["losses"], abs=1e-5)
    assert halved["facts"]["notes"][0] == "device out of memory: micro-batch halved to 2, effective batch kept"
    assert halved["facts"]["notes"][1:] == whole["facts"]["notes"]
    assert halved["scores"]["test"] == whole["scores"]["test"]


def test_a_device_too_small_for_one_example_ends_the_trial(
    small: Callable[..., tuple[Json, Json]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.training.fit.train", small_device(0))
    with pytest.raises(torch.OutOfMemoryError) as caught:
        small("full", "never")
    assert status_of(caught.value) == "oom_device"


@pytest.mark.parametrize("regime", ["linear-probe", "full"])
def test_a_device_full_of_test_examples_takes_fewer_at_a_time(
    regime: str, small: Callable[..., tuple[Json, Json]], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = small(regime, "whole")
    original = Tokens.batch
    monkeypatch.setattr(
        Tokens, "batch", lambda self, indices, device: refuse(16, lambda i: original(self, i, device))(indices)
    )
    monkeypatch.setenv("BENCH_CACHE", os.environ["BENCH_CACHE"] + "-other")
    cut, _ = small(regime, "cut")
    assert cut["scores"]["test"] == whole["scores"]["test"]
    assert any("out of memory" in note for note in cut["facts"]["notes"])
