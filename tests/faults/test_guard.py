"""What only measures or compares fails, in every stage: the trial and its score stay what they were."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from attempts import attempt
from factory import Factory
from ground import Ground
from rows import Row
from tiny_models import tiny_bert
from tiny_tasks import text_task, trial
from torch.utils.flop_counter import FlopCounterMode

from bench.analysis.frame import load
from bench.errors import StoreError
from bench.modeling.encoding import text
from bench.objectives.classes import Classes
from bench.planning.tuning import outcome
from bench.probes import clock, energy, environment, flops, heartbeat, memory, steps
from bench.probes.guard import MOST, Guard
from bench.report.section import sections
from bench.store import validation
from bench.suite.parameters import Training
from bench.suite.trial import Json, Trial
from bench.training import adapted_model, tf_idf
from bench.training.loop import Step
from bench.training.one_standard_error import choose
from bench.trial import evaluation, features

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # PEFT asks transformers so


class Boom(RuntimeError):
    """What a probe raises here."""


def boom(*_: Any, **__: Any) -> Any:
    raise Boom("no such\nthing")


def from_call(number: int, original: Callable[..., Any] = lambda *_: 1.0) -> Callable[..., Any]:
    """Works until it is called for the `number`th time, once, and again after it."""
    calls = itertools.count()
    return lambda *arguments, **named: (boom if next(calls) == number else original)(*arguments, **named)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Trial]:
    """Makes trials of a tiny BERT, with dropout, on an easy task."""
    folder = tmp_path_factory.mktemp("bert")
    tiny_bert("BertForMaskedLM", folder)
    task = text_task(tmp_path_factory.mktemp("texts"))

    def make(regime: str = "full", dropout: float = 0.1, **changes: Any) -> Trial:
        few = Training(batch_size=8, dropout=dropout, evaluation_batch_size=16).model_dump(mode="json")
        return trial(folder, task, regime, training=few, **{"seed": 1, **changes})

    return make


@pytest.fixture(scope="module")
def undisturbed(bert: Callable[..., Trial], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Json]:
    """A regime's record without faults, and its losses."""

    @functools.cache
    def record(regime: str, dropout: float = 0.1) -> Json:
        place = tmp_path_factory.mktemp("undisturbed")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BENCH_CACHE", str(place / "cache"))
            found = attempt(bert(regime, dropout), place) | {"losses": losses(place)}
        assert found["status"] == "ok", found
        assert found["facts"]["notes"] == []
        return found

    return record


def losses(results: Path) -> Any:
    (curve,) = results.rglob("curve.json")
    return json.loads(curve.read_text())


def at(record: Json, path: str) -> Any:
    found: Any = record
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


FAULTS: dict[str, tuple[str, Any, str, str, str]] = {
    # what fails: (regime, where, its name, what is absent then, the remark)
    "counter": ("full", flops, "count", "costs.flops", "the number of FLOPs"),
    "end": ("full", FlopCounterMode, "get_total_flops", "costs.flops", "the number of FLOPs"),
    "formula": ("full", flops, "_attention", "costs.flops", "the number of FLOPs"),
    "backward": ("lora", flops, "_backward", "costs.flops", "the number of FLOPs"),
    "peak": ("full", flops, "peak", "costs.flops.utilisation", "the device's peak FLOP/s"),
    "mark": ("full", steps, "_now", "costs.step_seconds.median", "the time of a step"),
    "differences": ("full", steps.StepTimes, "_differences", "costs.seconds.overhead", "the time of a step"),
    "parameters": ("full", adapted_model, "_count", "costs.parameters", "the number of parameters"),
    "stored": ("full", adapted_model, "changed", "costs.stored_bytes", "the size of what is stored"),
    "high-water": ("full", memory, "_host_peak", "costs.memory_bytes.test_host", "the host's memory"),
    "reset": ("full", memory, "_reset_host", "costs.memory_bytes.train_host", "the host's memory"),
    "latency": ("full", clock, "latency", "costs.inference.latency_seconds", "the latency"),
    "feature latency": ("linear-probe", features, "latency", "costs.inference.latency_seconds", "the latency"),
    "log-loss": ("full", Classes, "doubt", "scores.validation.log_loss", "the log-loss"),
    "alike": ("full", Classes, "constant", "facts.constant", "whether all answers are alike"),
    "signatures": ("full", evaluation, "signatures", "scores.signatures", "the metrics' signatures"),
    "tf-idf": ("full", tf_idf, "_features", "scores.baselines.tf-idf", "the baseline tf-idf"),
    "majority": ("full", Classes, "_majority", "scores.baselines.majority", "the baseline majority"),
    "baselines": ("full", Classes, "baselines", "scores.baselines.majority", "every baseline"),
    "processor": ("full", environment, "processor", "environment.nothing", "the processor's name"),
    "device": ("full", environment, "_device", "environment.nothing", "the device's name"),
    "energy": ("full", energy, "_handle", "costs.energy_joules", "energy"),
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))


@pytest.mark.fault(Row.PROBE)
@pytest.mark.parametrize("name", FAULTS)
def test_a_probe_or_a_baseline_that_fails_is_absent_and_remarked(
    name: str, bert: Callable[..., Trial], undisturbed: Callable[..., Json], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    regime, where, attribute, absent, what = FAULTS[name]
    dropout = 0.0 if name in ("formula", "backward") else 0.1  # attention with dropout is another kernel on a CPU
    before = undisturbed(regime, dropout)
    monkeypatch.setattr(where, attribute, boom)
    record = attempt(bert(regime, dropout), tmp_path / "r")
    assert record["status"] == "ok", record
    assert record["facts"]["notes"][0] == f"{what} could not be measured: Boom: no such thing"
    assert len(record["facts"]["notes"]) == 1 + (what == "whether all answers are alike")  # which tf-idf asks too
    assert at(record, absent) is None
    assert record["scores"].get("test") == before["scores"].get("test")
    assert losses(tmp_path / "r") == before["losses"]
    validation.check_record({"trial": {"id": "x"}, **record})


@pytest.mark.fault(Row.PROBE)
@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory")])
def test_memory_that_runs_out_in_a_probe_ends_no_trial(
    error: Exception, bert: Callable[..., Trial], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Any:
        raise error

    for where, name in ((clock, "latency"), (tf_idf, "_features"), (Classes, "doubt")):
        monkeypatch.setattr(where, name, full)
    record = attempt(bert(), tmp_path / "r")
    assert record["status"] == "ok"
    assert len(record["facts"]["notes"]) == 3


@pytest.mark.fault(Row.PROBE)
def test_a_device_that_is_full_while_flops_are_counted_halves_the_micro_batch(
    bert: Callable[..., Trial], undisturbed: Callable[..., Json], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backward, before = Step.backward, undisturbed("full")["costs"]["flops"]["train"]

    def small(self: Step, batch: Any) -> Any:
        if self.micro_batch > 4:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return backward(self, batch)

    monkeypatch.setattr(Step, "backward", small)
    record = attempt(bert(), tmp_path / "r")
    assert record["facts"]["notes"][0] == "device out of memory: micro-batch halved to 4, effective batch kept"
    assert record["costs"]["flops"]["train"] == pytest.approx(before, rel=0.2)


@pytest.mark.fault(Row.PROBE)
def test_what_is_the_steps_own_failure_ends_the_trial(
    bert: Callable[..., Trial], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Step, "backward", boom)
    record = attempt(bert(), tmp_path / "r")
    assert (record["status"], record["cause"]) == ("failed", "no such\nthing")
    assert not record["facts"]["notes"]


@pytest.mark.fault(Row.PROBE)
@pytest.mark.parametrize("call", range(0, 12, 2))
def test_energy_and_memory_that_fail_at_any_moment_are_absent_where_they_did(
    call: int, bert: Callable[..., Trial], undisturbed: Callable[..., Json], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    before = undisturbed("full")["scores"]
    monkeypatch.setattr(energy, "_handle", lambda device: object())
    monkeypatch.setattr(energy, "_read", from_call(call))
    name = "_host_peak" if call < 6 else "_reset_host"
    monkeypatch.setattr(memory, name, from_call(call // 2 % 3, getattr(memory, name)))
    record = attempt(bert(), tmp_path / "r")
    joules, stages = record["costs"]["energy_joules"], set(record["costs"]["seconds"]) - {"total", "overhead"}
    assert record["status"] == "ok"
    lost = stages - set(joules)
    assert len(lost) == 1, "of one stage a reading is lacking"
    assert record["facts"]["notes"][0].startswith(("the host's memory could", "energy could"))
    peaks = {name.removesuffix("_host") for name in record["costs"]["memory_bytes"]}
    assert peaks == {"load", "train", "inference"} - {("load", "train", "inference")[call // 2 % 3]}
    assert record["scores"] == before


@pytest.mark.fault(Row.PROBE)
def test_a_budget_in_flops_that_cannot_be_counted_is_one_message(
    bert: Callable[..., Trial], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flops, "count", boom)
    record = attempt(bert(budget={"flops": 1e12}), tmp_path / "r")
    assert record["cause"] == "budget: the number of FLOPs could not be measured; give it in another unit"
    assert record["facts"]["notes"] == ["the number of FLOPs could not be measured: Boom: no such thing"]


@pytest.mark.fault(Row.PROBE)
def test_baselines_of_a_further_test_set_say_which(
    bert: Callable[..., Trial], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = bert("linear-probe")
    also = {"other": {"data": spec.task["data"], "columns": spec.task["columns"], "split": "test"}}
    locations = spec.locations | {"also_test": {"other": spec.locations["data"]}}
    monkeypatch.setattr(Classes, "_majority", boom)
    both = dataclasses.replace(spec, task=spec.task | {"also_test": also}, locations=locations)
    record = attempt(both, tmp_path / "r")
    assert record["status"] == "ok", record
    assert set(record["scores"]["also_test_baselines"]["other"]) == {"tf-idf"}
    assert [note.partition(" could")[0] for note in record["facts"]["notes"]] == [
        "the baseline majority",
        "the baseline majority on other",
    ]  # fmt: skip


@pytest.mark.fault(Row.PROBE)
def test_tuning_without_what_tells_how_sure_validation_is_still_chooses_the_best() -> None:
    records: list[Any] = [
        {"status": "ok", "scores": {"metric": "accuracy", "validation": {"accuracy": score}, **parts}}
        for score, parts in ((0.5, {}), (0.6, {"validation_parts": []}), (0.5, {"validation_parts": [0.4, 0.6]}))
    ]
    assert choose([1.0, 2.0, 4.0], 1.0, [[outcome(record)] for record in records]) == (1, False)


@pytest.mark.fault(Row.PROBE)
def test_a_report_on_trials_without_costs_leaves_their_places_empty(tmp_path: Path) -> None:
    made = Factory(tmp_path)
    bare = {"seconds": {"total": 3.0}}
    made.cell("full", 64, 0.8, facts={"notes": ["energy could not be measured: Boom: none"]}, costs=bare)
    made.cell("lora", 64, 0.7, costs={"seconds": {}})
    made.cell("zero-shot", 0, 0.6, costs={"memory_bytes": {}, "inference": {}, "flops": {}})
    told = "\n".join(str(section) for section in sections(load(made.finish())))
    assert "energy could not be measured: Boom: none" in told


@pytest.mark.fault(Row.PROBE)
@pytest.mark.parametrize("name", ["enter", "leave", "tidy"])
def test_a_control_group_that_fails_ends_neither_server_nor_trial(name: str, tmp_path: Path) -> None:
    broken = f"""
import runpy, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from bench.execution.local import memory_group
def boom(*_): raise KeyError("no such line")
memory_group.{name} = boom
import tiny_server
tiny_server.serve(lambda: None, tiny_server.body, *map(int, sys.argv[1:]))
"""
    (tmp_path / "server.py").write_text(broken)
    from bench.execution.executor import Ended, Slot
    from bench.execution.executors.local import Local

    with pytest.MonkeyPatch.context() as patch:
        import sys

        patch.setattr("bench.execution.executors.local.COMMAND", (sys.executable, str(tmp_path / "server.py")))
        with Local() as local:
            given = {"do": "trial", "trial": {"id": "x", "seed": 0}, "attempt": "a", "results": str(tmp_path)}
            local.submit(given, Slot("cpu", "cpu", 1))
            until = time.monotonic() + 60
            ended: list[Ended] = []
            while not ended and time.monotonic() < until:
                ended = [event for event in local.events(1) if isinstance(event, Ended)]
    assert ended[0].result is not None
    assert ended[0].result["status"] == "ok"
    assert bool(ended[0].remarks) == (name == "leave")


@pytest.mark.fault(Row.PROBE)
def test_what_the_server_could_not_measure_is_in_the_record(tmp_path: Path) -> None:
    ground = Ground(tmp_path).fill()
    ground.source = ground.source.replace("import sys\n", (
        "import dataclasses, sys\nfrom bench.execution import scheduler\n"
        "end = scheduler.Scheduler._end\n"
        "more = {'remarks': ('x could not be measured',)}\n"
        "scheduler.Scheduler._end = lambda s, event, r: end(s, dataclasses.replace(event, **more), r)\n"
    ), 1)  # fmt: skip
    ground.run("run", ground.suite("f", 1))
    assert [record["facts"]["notes"] for record in ground.records("f")] == [["x could not be measured"]]


def test_a_guard_says_each_thing_once_in_one_short_line() -> None:
    guard = Guard(["before"])
    assert guard("it", boom) is None
    assert guard("it", boom, 3) == 3
    assert guard("that", lambda: 4) == 4
    guard.failed("long", "x" * 10)
    assert guard.notes == [
        "before",
        "it could not be measured: Boom: no such thing",
        f"long could not be measured: {'x' * 10}",
    ]

    def long() -> None:
        raise ValueError("y" * 10_000)

    guard("much", long)
    assert len(guard.notes[-1]) < MOST + 50
    assert guard("the loss", lambda: float("nan")) is None  # which no record could hold
    assert guard.notes[-1] == "the loss could not be measured: ValueError: it is nan"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, StoreError])
def test_a_guard_lets_pass_what_ends_a_process_or_a_run(kind: type[BaseException]) -> None:
    def raises() -> None:
        raise kind("now")

    guard = Guard()
    with pytest.raises(kind):
        guard("it", raises)
    assert guard.notes == []


# --- signs of life ---


@pytest.mark.fault(Row.TICKS)
@pytest.mark.parametrize(("regime", "where", "name", "stage"), [
    ("full", text, "tokenise", "tokenise"), ("full", tf_idf, "_features", "baselines"),
    ("linear-probe", Classes, "solve", "train"),
])  # fmt: skip
def test_long_work_without_steps_shows_signs_of_life(
    regime: str, where: Any, name: str, stage: str, bert: Callable[..., Trial], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(heartbeat, "EVERY", 0.01)
    seen: list[str] = []
    original = getattr(where, name)

    def long(*arguments: Any, **named: Any) -> Any:
        before, until = len(seen), time.monotonic() + 60
        while len(seen) < before + 3 and time.monotonic() < until:
            sum(range(10_000))
        assert len(seen) >= before + 3
        return original(*arguments, **named)

    monkeypatch.setattr(where, name, long)
    record = attempt(bert(regime), tmp_path / "r", tick=lambda stage, done, total: seen.append(stage))
    assert record["status"] == "ok", record
    assert record["facts"]["notes"] == []
    assert seen.count(stage) >= 3


WAITS = """
import time
from bench.probes import heartbeat
heartbeat.EVERY, heartbeat.LEAST = 0.05, 0.5
with heartbeat.working(lambda: print("alive")):
    time.sleep(0.5)
"""


@pytest.mark.fault(Row.TICKS)
def test_work_that_waits_shows_no_sign_of_life() -> None:
    """In a process of its own: threads that other tests left behind keep this one's processor busy."""
    found = subprocess.run([sys.executable, "-c", WAITS], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["alive"]


# --- a budget that is over at once ---


@pytest.mark.fault(Row.BUDGET)
@pytest.mark.parametrize("budget", [{"seconds": 1e-6}, {"flops": 1.0}])
def test_a_budget_that_is_over_before_the_first_step_is_one_message(
    budget: Json, bert: Callable[..., Trial], tmp_path: Path
) -> None:
    record = attempt(bert(budget=budget), tmp_path / "r")
    ((unit, amount),) = budget.items()
    assert record["status"] == "failed"
    assert record["cause"] == f"budget: {amount:g} {unit} are over before a step has changed the model; give it more"
