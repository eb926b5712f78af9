"""Long trials that are cut short, and what they go on from."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import random
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attempts
import numpy as np
import pytest
import torch
from attempts import Killed, kill_at, outcome, saved
from rows import Row
from tiny_models import tiny_bert, tiny_image
from tiny_tasks import image_task, order, text_task, trial

from bench.execution.executor import Ended, Slot, Started
from bench.execution.executors.local import Local
from bench.modeling.encoding.arrays import Tokens
from bench.probes import memory
from bench.probes.steps import StepTimes
from bench.store import paths
from bench.suite.parameters import Training
from bench.suite.trial import Json, Trial
from bench.training import checkpoint
from bench.training.checkpoint import Checkpoint
from bench.training.feeding import WORKERS
from bench.training.state import Run, changing

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # PEFT asks transformers so
attempt = functools.partial(attempts.attempt, every=0.0)
STEPS = 12
DROPOUT = Training(batch_size=8, dropout=0.3, schedule="cosine").model_dump(mode="json")
RUNNING = Training(batch_size=8, batch_norm="batch").model_dump(mode="json")
"""Validation in the middle reads statistics that run along; at the end they are taken anew."""
VARIED = Training(batch_size=8, augmentation="randaugment").model_dump(mode="json")
CONVERGED = {"until": "converged", "patience": 4, "max_epochs": 4, "min_steps": 3}


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Trial]:
    """Makes trials of a tiny BERT with dropout, twelve steps long."""
    folder = tmp_path_factory.mktemp("bert")
    tiny_bert("BertModel", folder)
    task = text_task(tmp_path_factory.mktemp("texts"))
    return lambda regime="full", parameters=None, **changes: trial(
        folder, task, regime, parameters, **({"budget": {"steps": STEPS}, "training": DROPOUT} | changes)
    )


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Trial]:
    """Makes trials of a tiny ResNet, whose batch normalisation keeps statistics."""
    folder = tmp_path_factory.mktemp("resnet")
    tiny_image("resnet", folder)
    task = image_task(tmp_path_factory.mktemp("images"))
    return lambda **changes: trial(folder, task, "full", **({"budget": {"steps": STEPS}} | changes))


@pytest.fixture
def kinds(bert: Callable[..., Trial], resnet: Callable[..., Trial]) -> dict[str, Trial]:
    """A trial of every kind whose state differs."""
    return {
        "dropout": bert(),
        "converged": bert(budget=CONVERGED, tuned={"learning_rate": 0.5}),
        "accumulation": bert(seed=1),
        "batch-norm": resnet(budget=CONVERGED, training=RUNNING),
        "lora": bert("lora", {"r": 2, "lora_dropout": 0.2}),
        "sgd": resnet(training=RUNNING | {"optimizer": "sgd"}),
        "flops": bert(budget={"flops": 1e8}),
    }


def refuse(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """A device that can train on so many examples at a time and no more."""
    original = Tokens.batch

    def limited(self: Tokens, indices: np.ndarray, device: torch.device) -> Any:
        if len(indices) > most and torch.is_grad_enabled():
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return original(self, indices, device)

    monkeypatch.setattr(Tokens, "batch", limited)


def cut_short(spec: Trial, results: Path, steps: list[int], **options: Any) -> Json:
    """The record of a trial that was killed at each of these steps and then left alone."""
    for step in steps:
        with pytest.raises(Killed):
            attempt(spec, results, tick=kill_at(step), **options)
        assert len(saved(spec, results)) == 1
    return attempt(spec, results, **options)


@pytest.mark.fault(Row.CHECKPOINT)
@pytest.mark.parametrize("kind", ["dropout", "converged", "accumulation", "batch-norm", "lora", "sgd", "flops"])
def test_a_trial_that_goes_on_gives_the_bits_of_one_that_was_left_alone(
    kind: str, kinds: dict[str, Trial], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, moments = kinds[kind], random.Random(kind)
    if kind == "accumulation":
        refuse(monkeypatch, 3)
    whole = attempt(spec, tmp_path / "whole", every=None)
    first, second = sorted(moments.sample(range(2, min(STEPS, whole["costs"]["steps"])), 2))
    cut = cut_short(spec, tmp_path / "cut", [first, second])
    assert outcome(cut, tmp_path / "cut") == outcome(whole, tmp_path / "whole")
    assert cut["facts"]["resumed"] == [first - 1, second - 1]
    assert "it went on from its checkpoint" in cut["facts"]["notes"]
    assert "resumed" not in whole["facts"]
    assert not (tmp_path / "cut" / "checkpoints").exists()
    assert whole["costs"]["steps"] > second


@pytest.mark.fault(Row.CHECKPOINT)
def test_varied_images_are_the_same_whoever_prepares_them_and_wherever_it_goes_on(
    resnet: Callable[..., Trial], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = resnet(training=VARIED)
    monkeypatch.setenv(WORKERS, "0")
    whole = attempt(spec, tmp_path / "whole", every=None)
    for workers in ("0", "2"):
        monkeypatch.setenv(WORKERS, workers)
        place = tmp_path / workers
        cut = cut_short(spec, place, [4, 9])
        assert outcome(cut, place) == outcome(whole, tmp_path / "whole")
        assert cut["facts"]["feeding"]["workers"] == int(workers)
        assert cut["facts"]["resumed"] == [3, 8]


@pytest.mark.fault(Row.CHECKPOINT)
def test_a_trial_whose_task_comes_after_another_goes_on_in_either(
    bert: Callable[..., Trial], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = bert(seed=7)
    kept = {name: getattr(first, name) for name in ("task", "regime", "size", "tuned")}
    place = {"data": first.locations["data"], "name": "first"}
    spec = dataclasses.replace(
        first, size=24, regime={**first.regime, "after": kept}, locations={**first.locations, "after": place}
    )
    cut = cut_short(spec, tmp_path / "cut", [6, 4])  # at the 4th step it is in the second: the first had gone beyond
    assert cut["facts"]["resumed"] == [3]
    assert cut["costs"]["shared"]["after"]["steps"] == cut["costs"]["steps"] == STEPS
    assert not (tmp_path / "cut" / "checkpoints").exists()
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    whole = attempt(spec, tmp_path / "whole", every=None)
    assert outcome(cut, tmp_path / "cut") == outcome(whole, tmp_path / "whole")


@pytest.mark.fault(Row.CHECKPOINT)
@pytest.mark.parametrize("nth", [2, 5])
def test_steps_after_the_checkpoint_are_taken_again(
    nth: int, bert: Callable[..., Trial], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = attempt(bert(), tmp_path / "whole", every=None)
    asked: list[int] = []
    monkeypatch.setattr(Checkpoint, "due", lambda self: len(asked.append(1) or asked) % nth == 0)  # type: ignore[func-returns-value]
    cut = cut_short(bert(), tmp_path / "cut", [8])
    assert outcome(cut, tmp_path / "cut") == outcome(whole, tmp_path / "whole")
    assert cut["facts"]["resumed"] == [7 // nth * nth]


LEFT_OUT: dict[str, tuple[str, Callable[[Run], Any]]] = {
    "random": ("dropout", lambda run: [torch.get_rng_state()]),
    "optimizer": ("dropout", lambda run: run.optimizer.state_dict()),
    "weights": ("dropout", lambda run: changing(run.model)),
    "losses": ("dropout", lambda run: torch.zeros(0)),
    "spent": ("dropout", lambda run: run.spent.state()),
    "best": ("converged", lambda run: run.best.state()),
    "validations": ("converged", lambda run: []),
    "buffers": ("batch-norm", lambda run: None),
    "batches": ("dropout", lambda run: None),
}


@pytest.mark.fault(Row.CHECKPOINT)
@pytest.mark.parametrize("part", LEFT_OUT)
def test_that_comparison_sees_what_a_checkpoint_would_leave_out(
    part: str, kinds: dict[str, Trial], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, fresh = LEFT_OUT[part]
    original = Run.go_on

    def lacking(self: Run, state: Json) -> None:
        if part == "buffers":
            own = {name for name, _ in self.model.named_buffers()}
            state["weights"] = {name: value for name, value in state["weights"].items() if name not in own}
        elif part == "batches":
            next(self.batches)
        else:
            state[part] = fresh(self)
        original(self, state)

    whole = attempt(kinds[kind], tmp_path / "whole", every=None)
    monkeypatch.setattr(Run, "go_on", lacking)
    cut = cut_short(kinds[kind], tmp_path / "cut", [8])
    assert outcome(cut, tmp_path / "cut") != outcome(whole, tmp_path / "whole")


@pytest.mark.fault(Row.CHECKPOINT)
def test_a_trial_shorter_than_the_interval_writes_nothing(
    bert: Callable[..., Trial], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Checkpoint, "save", lambda *_: pytest.fail("it was saved"))
    for every in (None, 300.0):
        record = attempt(bert(), tmp_path, every=every)
        assert record["status"] == "ok"
        assert "checkpoint" not in record["costs"]["seconds"]
        assert sorted(p.name for p in tmp_path.iterdir()) == ["artifacts"]


def flip(folder: Path) -> None:
    content = bytearray((folder / "state.pt").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "state.pt").write_bytes(content)


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "a bit": flip,
    "half a file": lambda folder: os.truncate(folder / "state.pt", 1000),
    "no file": lambda folder: (folder / "state.pt").unlink(),
    "torn": lambda folder: (folder / "about.json").write_text('{"format": 1'),
    "a list": lambda folder: (folder / "about.json").write_text("[]"),
}


@pytest.mark.fault(Row.CHECKPOINT)
@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_checkpoint_is_not_used(how: str, bert: Callable[..., Trial], tmp_path: Path) -> None:
    whole = attempt(bert(), tmp_path / "whole", every=None)
    with pytest.raises(Killed):
        attempt(bert(), tmp_path / "cut", tick=kill_at(6))
    DAMAGE[how](paths.checkpoints(tmp_path / "cut", bert().id) / "5")
    record = attempt(bert(), tmp_path / "cut")
    assert outcome(record, tmp_path / "cut") == outcome(whole, tmp_path / "whole")
    assert record["facts"]["notes"][0] == "its checkpoint was damaged and not used"
    assert "resumed" not in record["facts"]


@pytest.mark.fault(Row.CHECKPOINT)
@pytest.mark.parametrize("other", ["environment", "format", "micro_batch", "trial"])
def test_a_checkpoint_saved_otherwise_is_not_used(
    other: str, bert: Callable[..., Trial], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = bert()
    with pytest.raises(Killed):
        attempt(spec, tmp_path, tick=kill_at(6))
    if other == "format":
        monkeypatch.setattr(checkpoint, "FORMAT", checkpoint.FORMAT + 1)
    if other == "micro_batch":
        refuse(monkeypatch, 4)
    if other == "trial":
        spec = bert(seed=1)
        paths.checkpoints(tmp_path, bert().id).rename(paths.checkpoints(tmp_path, spec.id))
    record = attempt(spec, tmp_path, threads=2 if other == "environment" else 1)
    assert record["status"] == "ok"
    assert f"its checkpoint was saved under another {other} and not used" in record["facts"]["notes"]
    assert "resumed" not in record["facts"]


@pytest.mark.fault(Row.CHECKPOINT, Row.DISK)
def test_a_full_disk_costs_the_checkpoint_and_not_the_trial(
    bert: Callable[..., Trial], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, original, calls = attempt(bert(), tmp_path / "whole", every=None), torch.save, []

    def short(*arguments: Any) -> None:
        calls.append(1)
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000 if len(calls) > 3 else hard, hard))
        try:
            original(*arguments)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

    monkeypatch.setattr(torch, "save", short)
    with pytest.raises(Killed):
        attempt(bert(), tmp_path / "cut", tick=kill_at(7))
    assert saved(bert(), tmp_path / "cut") == ["3"]  # the last one that was whole
    record = attempt(bert(), tmp_path / "cut")
    assert outcome(record, tmp_path / "cut") == outcome(whole, tmp_path / "whole")
    assert record["facts"]["resumed"] == [3]
    assert record["facts"]["notes"].count("no checkpoint could be written: it went on without") == 1
    assert len(calls) == 5  # one try that failed in each attempt


@pytest.mark.fault(Row.CHECKPOINT)
def test_killed_while_it_saves_it_goes_on_from_the_checkpoint_before(
    bert: Callable[..., Trial], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, original = attempt(bert(), tmp_path / "whole", every=None), torch.save

    def cut(state: Json, path: Path) -> None:
        original(state, path)
        if state["run"]["spent"]["step"] == 5:
            os.truncate(path, 1000)
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", cut)
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)  # a dead process tidies nothing
        with pytest.raises(Killed):
            attempt(bert(), tmp_path / "cut")
    assert len(saved(bert(), tmp_path / "cut")) > 1
    record = attempt(bert(), tmp_path / "cut", every=300.0)
    assert outcome(record, tmp_path / "cut") == outcome(whole, tmp_path / "whole")
    assert record["facts"]["resumed"] == [4]
    assert not (tmp_path / "cut" / "checkpoints").exists()


@pytest.mark.fault(Row.CHECKPOINT)
@pytest.mark.parametrize("error", [RuntimeError("broken"), MemoryError()])
def test_a_trial_that_ends_by_itself_leaves_no_checkpoint(
    error: Exception, bert: Callable[..., Trial], tmp_path: Path
) -> None:
    def tick(stage: str, done: int, total: int | None) -> None:
        if stage == "predict":
            assert saved(bert(), tmp_path) == [str(STEPS)]
            raise error

    assert attempt(bert(), tmp_path, tick=tick)["status"] in ("failed", "oom_host")
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.fault(Row.CHECKPOINT)
def test_the_clock_counts_what_is_in_the_result_and_not_what_was_lost(
    bert: Callable[..., Trial], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tick(stage: str, done: int, total: int | None) -> None:
        if stage == "train":
            time.sleep({3: 0.4, 6: 2.0}.get(done, 0))  # before the checkpoint of step 3; before that of step 6
            kill_at(6)(stage, done, total)

    with monkeypatch.context() as patch:
        patch.setattr(memory, "_host_peak", lambda: 1 << 50)
        with pytest.raises(Killed):
            attempt(bert(budget=CONVERGED), tmp_path, tick=tick)
    costs = attempt(bert(budget=CONVERGED), tmp_path)["costs"]
    seconds = costs["seconds"]
    assert costs["memory_bytes"]["train_host"] == 1 << 50 > costs["memory_bytes"]["inference_host"]
    assert 0.4 <= seconds["overhead"] < 2
    assert seconds["checkpoint"] > 0
    assert seconds["total"] >= 0.99 * sum(value for name, value in seconds.items() if name != "total")


@pytest.mark.fault(Row.CHECKPOINT)
def test_a_budget_in_seconds_goes_on_where_it_was(
    bert: Callable[..., Trial], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = torch.save
    monkeypatch.setattr(torch, "save", lambda *a: (time.sleep(0.2), original(*a)))  # saving is not of the budget
    spec, begun, ticks = bert(budget={"seconds": 1.5}), time.monotonic(), []

    def first(stage: str, done: int, total: int | None) -> None:
        if stage == "train":
            time.sleep(0.1)
            if done == 9:
                raise Killed

    def second(stage: str, done: int, total: int | None) -> None:
        if stage == "train" and done:  # a baseline that is cross-validated says so of no step
            ticks.append(time.monotonic() - begun)

    with pytest.raises(Killed):
        attempt(spec, tmp_path, tick=first)
    record = attempt(spec, tmp_path, every=300.0, tick=second)
    assert ticks[-1] - ticks[0] < 0.75  # the other half was spent before
    assert record["costs"]["steps"] == 8 + len(ticks)
    assert record["costs"]["seconds"]["train"] + record["costs"]["seconds"]["overhead"] > 1.4


def test_the_first_steps_after_a_checkpoint_are_cold_again() -> None:
    times = StepTimes(cuda=False)
    times.carry({"seconds": [9.0, 9.0, 9.0, 1.0, 1.0], "cold": [0]})
    times._begun, times._ended = [0.0] * 5, [7.0, 7.0, 7.0, 1.0, 2.0]
    assert times.seconds() == [9, 9, 9, 1, 1, 7, 7, 7, 1, 2]
    assert times.summary() == {"median": 1.0, "p95": 2.0, "warmup": 6}
    assert times.total() == 1 + 1 + 1 + 2 + 6 * 1.0
    assert times.state()["cold"] == [0, 5]
    times = StepTimes(cuda=False)
    times._begun, times._ended = [0.0], [7.0]
    assert (times.total(), times.summary()) == (7.0, {"median": 7.0, "p95": 7.0, "warmup": 0})


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_CACHE", str(tmp_path_factory.mktemp("server-cache")))
        started = Local()
        started.start()
    yield started
    started.close()


@pytest.mark.fault(Row.CHECKPOINT)
def test_killed_by_kill_9_a_workers_trial_goes_on(local: Local, bert: Callable[..., Trial], tmp_path: Path) -> None:
    spec = bert(budget={"steps": 300})

    def submit(results: Path, every: float | None) -> tuple[str, int]:
        name = local.submit({**order(spec, results), "do": "trial", "checkpoint": every}, Slot("cpu", "cpu", 1))
        while not any(isinstance(event, Started) for event in local.events(60)):
            pass
        pid = local.pid(name)
        assert pid is not None
        return name, pid

    def ended(name: str) -> Json | None:
        while True:
            for event in local.events(60):
                if isinstance(event, Ended) and event.order == name:
                    return event.result

    name, pid = submit(tmp_path / "cut", 0.05)
    while not any("state.pt" in files for _, _, files in os.walk(tmp_path / "cut" / "checkpoints")):
        time.sleep(0.01)
    time.sleep(random.Random(0).random() / 5)
    os.kill(pid, signal.SIGKILL)
    assert ended(name) is None
    cut = ended(submit(tmp_path / "cut", 300.0)[0])
    whole = ended(submit(tmp_path / "whole", None)[0])
    assert cut is not None
    assert whole is not None
    assert 0 < cut["facts"]["resumed"][0] < 300
    assert outcome(cut, tmp_path / "cut") == outcome(whole, tmp_path / "whole")
    json.dumps(cut, allow_nan=False)
