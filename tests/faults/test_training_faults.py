"""Numbers that are none, predictions and data that say nothing, and memory that runs out."""

from __future__ import annotations

import json
import os
import re
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from attempts import attempt
from factory import Factory
from rows import Row
from tiny_models import tiny_bert
from tiny_tasks import text_task, trial

from bench import plugins
from bench.analysis.failures import failures
from bench.analysis.frame import cells, load
from bench.errors import DataError, Diverged
from bench.modeling.encoding.arrays import Tokens
from bench.modeling.models import loading
from bench.planning.tuning import outcome
from bench.report.section import sections
from bench.suite.parameters import Training
from bench.suite.trial import Json, Trial
from bench.training.one_standard_error import choose
from bench.trial import evaluation, task_data
from bench.trial.features import TrialFeatures
from bench.trial.run import status_of

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # PEFT asks transformers so
AT_ONCE = Training(batch_size=8, warmup=0.0, schedule="constant").model_dump(mode="json")
METRICS = ["accuracy", "macro-f1", "matthews"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("bert")
    tiny_bert("BertModel", found)
    return found


@pytest.fixture(scope="module")
def bert(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Trial]:
    """Makes trials of a tiny BERT on an easy task."""
    task = text_task(tmp_path_factory.mktemp("texts"))
    few = Training(batch_size=8, dropout=0.0, evaluation_batch_size=16).model_dump(mode="json")
    return lambda regime="full", parameters=None, **changes: trial(
        folder, task, regime, parameters, **({"training": few} | changes)
    )


# --- numbers that are none ---


@pytest.mark.fault(Row.DIVERGED)
@pytest.mark.parametrize(
    ("steps", "cause"),
    [(4, r"the training loss was (nan|inf) at step [234]"), (1, "outputs are not finite numbers for 8 of 8 examples")],
)
def test_a_trial_whose_numbers_are_none_diverged_and_has_no_score(
    steps: int, cause: str, bert: Callable[..., Trial], tmp_path: Path
) -> None:
    spec = bert(budget={"steps": steps}, tuned={"learning_rate": 1e38}, training=AT_ONCE)
    record = attempt(spec, tmp_path)
    assert record["status"] == "diverged"
    assert re.search(cause, record["cause"])
    assert record["scores"] == {"metric": "accuracy"}
    assert not (tmp_path / "artifacts").exists()
    assert record["costs"]["seconds"]["total"] > 0


@pytest.mark.fault(Row.DIVERGED)
@pytest.mark.parametrize("split", ["train", "test"])
def test_features_that_are_no_numbers_are_divergence(
    split: str, bert: Callable[..., Trial], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = TrialFeatures.frozen

    def lost(self: TrialFeatures, asked: str) -> np.ndarray:
        found = np.array(original(self, asked))
        found[:, 0] = np.nan if asked == split else found[:, 0]
        return found

    monkeypatch.setattr(TrialFeatures, "frozen", lost)
    record = attempt(bert("linear-probe"), tmp_path)
    assert record["status"] == "diverged"
    assert "features are not finite numbers for 24 of 24 examples" in record["cause"]
    assert "test" not in record["scores"]


@pytest.mark.fault(Row.DIVERGED)
def test_a_pretrained_model_that_answers_nothing_has_no_score(bert: Callable[..., Trial], tmp_path: Path) -> None:
    model, _ = tiny_bert("BertForMaskedLM", tmp_path / "model")
    torch.nn.init.constant_(model.bert.embeddings.LayerNorm.weight, float("nan"))
    model.save_pretrained(tmp_path / "model")
    task = text_task(tmp_path)
    for regime, more in (("zero-shot", {"way": "cloze", "way_version": 1}), ("linear-probe", {}), ("full", {})):
        spec = trial(tmp_path / "model", task, regime)
        spec.regime.update(more)
        record = attempt(spec, tmp_path / regime)
        assert record["status"] == "diverged", record
        assert record["scores"] == {"metric": "accuracy"}


@pytest.mark.fault(Row.DIVERGED)
def test_an_answer_is_a_finite_number() -> None:
    objective, labels = plugins.load("objectives", "classes"), np.array([0, 0])
    found = np.log(np.array([[[0.5, 0.5], [1.0, 1e-30]]], dtype=np.float32))
    impossible = found.copy()
    impossible[0, 1, 1] = -np.inf  # one class that cannot be is an answer
    assert evaluation.scores(objective, ["accuracy"], labels, impossible) == {"accuracy": 1.0}
    for value in (np.nan, np.inf, -np.inf):
        lost = found.copy()
        lost[0, 1] = [value, -np.inf]
        with pytest.raises(Diverged, match="not finite numbers for 1 of 2 examples"):
            evaluation.scores(objective, ["accuracy"], labels, lost)


@pytest.mark.fault(Row.DIVERGED)
def test_what_diverged_is_shown_and_never_averaged(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    lost = {"status": "diverged", "cause": "the training loss was nan at step 7", "scores": {"metric": "accuracy"}}
    first, second, third = factory.cell("lora", 64, None)
    for one in (first, second):
        factory.record(one, 0.7)
    factory.record(third, **lost)
    for one in factory.cell("full", 64, None):
        factory.record(one, **lost)
    (results,) = load(factory.finish())
    lora, full = cells([results]).to_dict("records")
    assert (lora["state"], lora["seeds"]) == ("partial", 2)
    assert lora["mean"] == pytest.approx(0.7, abs=0.1)
    assert (full["state"], full["seeds"], full["best"]) == ("diverged", 0, False)
    assert np.isnan(full["mean"])
    assert failures(results)["cause"].tolist() == ["the training loss was nan at step 7"] * 4
    low: Any = {"status": "ok", "scores": {"metric": "accuracy", "validation": {"accuracy": 0.1}}}
    gone: Any = lost
    assert choose([1.0, 2.0], 2.0, [[outcome(low)], [outcome(gone)]]) == (0, True)
    assert choose([1.0, 2.0], 2.0, [[outcome(gone)]] * 2) == (1, False)


# --- predictions and data that say nothing ---


@pytest.mark.fault(Row.DEGENERATE)
def test_constant_predictions_are_a_score_with_a_remark(folder: Path, tmp_path: Path) -> None:
    spec, location = text_task(tmp_path)
    task = ({**spec, "parameters": {**spec["parameters"], "metrics": METRICS}}, location)
    record = attempt(trial(folder, task, "full", size=1), tmp_path)
    assert record["status"] == "ok"
    assert record["scores"]["test"] == {"accuracy": 0.5, "macro-f1": pytest.approx(1 / 3), "matthews": 0.0}
    assert "every test example got the same answer" in record["facts"]["notes"]


@pytest.mark.fault(Row.DEGENERATE)
@pytest.mark.parametrize("regime", ["full", "linear-probe"])
def test_a_class_that_is_missing_is_a_remark(regime: str, folder: Path, tmp_path: Path) -> None:
    spec, location = text_task(tmp_path, test=1)
    task = ({**spec, "parameters": {**spec["parameters"], "metrics": METRICS}}, location)
    record = attempt(trial(folder, task, regime, size=1), tmp_path)
    assert record["status"] == "ok", record
    assert "1 of 2 classes have no train example" in record["facts"]["notes"]
    assert "1 of 2 classes have no test example" in record["facts"]["notes"]
    assert all(np.isfinite(value) for value in record["scores"]["test"].values())


@pytest.mark.fault(Row.DEGENERATE)
def test_an_empty_split_is_refused_or_fails_and_says_so(folder: Path, tmp_path: Path) -> None:
    for split in ("train", "test"):
        with pytest.raises(DataError, match=rf"{split}\.csv: holds no rows"):  # when it is locked: nothing runs
            text_task(tmp_path, **{split: 0})
    spec, location = text_task(tmp_path)
    task = ({**spec, "splits": {"train": "train", "test": "train"}}, location)
    record = attempt(trial(folder, task, "full"), tmp_path)
    assert record["status"] == "failed"
    assert "so nothing is left to learn from" in record["cause"]


@pytest.mark.fault(Row.DEGENERATE)
def test_convergence_without_held_out_labels_fails_and_says_so(bert: Callable[..., Trial], tmp_path: Path) -> None:
    record = attempt(bert(size=2, budget={"until": "converged", "max_epochs": 2, "patience": 1}), tmp_path)
    assert record["status"] == "failed"
    assert "judged on held-out labels, and there are none" in record["cause"]


@pytest.mark.fault(Row.DEGENERATE)
def test_a_remark_of_many_trials_is_one_line_of_the_report(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    for size in (64, 256):
        factory.cell("lora", size, 0.5, seeds=30, facts={"notes": ["every test example got the same answer"]})
    (section,) = sections(load(factory.finish()))
    remarks = [note for note in section.notes if "same answer" in note]
    assert remarks == ["Of 60 trials (sst2 with minilm): every test example got the same answer."]


# --- memory that runs out ---


class Full:
    """A device that is full where a test says so."""

    def __init__(self, full: Callable[..., bool]) -> None:
        self._full, self.calls = full, 0

    def __call__(self, *arguments: Any) -> None:
        self.calls += 1
        if self._full(self.calls, *arguments):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    def before(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """The function, on this device."""

        def limited(*arguments: Any, **options: Any) -> Any:
            self(*arguments)
            return original(*arguments, **options)

        return limited


WHERE: dict[str, tuple[str, Callable[..., bool], int]] = {
    "the data": ("data", lambda call, *_: call == 1, 4),
    "loading": ("load", lambda call, *_: call <= 2, 2),
    "step 0": ("batch", lambda call, self, rows, device: torch.is_grad_enabled() and len(rows) > 4, 4),
    "the middle": ("tick", lambda call, stage, done, total: (stage, done) == ("train", 2) and call < 9, 4),
    "evaluation": ("batch", lambda call, self, rows, device: not torch.is_grad_enabled() and len(rows) > 1, 1),
}


@pytest.mark.fault(Row.DEVICE_MEMORY)
@pytest.mark.parametrize("where", WHERE)
def test_a_full_device_halves_the_micro_batch_wherever_it_shows(
    where: str, bert: Callable[..., Trial], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = attempt(bert(), tmp_path / "whole")
    place, full, micro = WHERE[where]
    device = Full(full)
    if place == "data":
        monkeypatch.setattr(task_data, "load", device.before(task_data.load))
    if place == "load":
        monkeypatch.setattr(loading, "classifier", device.before(loading.classifier))
    if place == "batch":
        monkeypatch.setattr(Tokens, "batch", device.before(Tokens.batch))
    record = attempt(bert(), tmp_path / "halved", every=0.0, tick=device if place == "tick" else lambda *_: None)
    assert record["status"] == "ok", record
    assert record["costs"]["batch"] == {"size": 8, "micro": micro, "accumulation": 8 // micro}
    assert record["scores"]["test"] == whole["scores"]["test"]
    assert record["facts"]["notes"][0] == f"device out of memory: micro-batch halved to {micro}, effective batch kept"


@pytest.mark.fault(Row.DEVICE_MEMORY)
@pytest.mark.parametrize("place", ["loading", "training", "evaluation"])
def test_a_device_too_small_for_one_example_keeps_what_is_known(
    place: str, bert: Callable[..., Trial], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = Full(lambda *_: place != "evaluation" or not torch.is_grad_enabled())
    target, name = (loading, "classifier") if place == "loading" else (Tokens, "batch")
    monkeypatch.setattr(target, name, device.before(getattr(target, name)))
    record = attempt(bert(), tmp_path, every=None)
    assert record["status"] == "oom_device"
    costs = record["costs"]
    assert costs["memory_bytes"]["inference_host" if place == "evaluation" else "train_host"] > 0
    assert costs["seconds"]["total"] >= costs["seconds"]["load"] > 0
    assert ("flops" in costs) == ("steps" in costs) == ("stored_bytes" in costs) == (place == "evaluation")
    assert "test" not in record["scores"]


def from_(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


DEVICE = [
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    from_(ValueError("cannot build"), torch.OutOfMemoryError()),
]
HOST = [MemoryError(), OSError(12, "Cannot allocate memory"), from_(ValueError("cannot build"), MemoryError())]
NEITHER = [
    RuntimeError("CUDA error: device-side assert"),
    RuntimeError("not enough memory, I guess"),
    OSError(5, "Input/output error"),
]


@pytest.mark.fault(Row.DEVICE_MEMORY, Row.HOST_MEMORY)
def test_running_out_of_memory_is_proven_or_not_claimed() -> None:
    found = [[status_of(error) for error in errors] for errors in (DEVICE, HOST, NEITHER)]
    assert found == [["oom_device"] * 3, ["oom_host"] * 3, ["failed"] * 3]


def child(work: Callable[[], Json], folder: Path, room: int) -> Json:
    """What the work returns in a process that may take `room` bytes more than it has."""
    pid = os.fork()
    if pid == 0:
        try:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + room,) * 2)
            (folder / "record.json").write_text(json.dumps(work()))
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    found: Json = json.loads((folder / "record.json").read_text())
    return found


@pytest.mark.fault(Row.HOST_MEMORY)
@pytest.mark.parametrize("where", ["a model", "an array"])
def test_a_host_without_room_is_told_apart(
    where: str, bert: Callable[..., Trial], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = bert()
    if where == "a model":  # its weights take 800 MB
        tiny_bert("BertModel", tmp_path / "model")
        config = transformers.AutoConfig.from_pretrained(folder)
        config.intermediate_size = 6_000_000
        config.save_pretrained(tmp_path / "model")
        spec = trial(tmp_path / "model", text_task(tmp_path), "retrain")
    else:
        original = Tokens.batch
        monkeypatch.setattr(Tokens, "batch", lambda *a: (np.ones(10**9), original(*a))[1])
    record = child(lambda: attempt(spec, tmp_path), tmp_path, 300 << 20)
    assert record["status"] == "oom_host", record
    assert record["costs"]["memory_bytes"]["train_host"] > 0
    assert "test" not in record["scores"]
