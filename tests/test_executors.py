"""Where orders are done: in processes of their own, in this one, elsewhere; and the errors that come back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from tiny_models import tiny_bert
from tiny_tasks import write_texts

from bench import api, errors, plugins
from bench.errors import BenchError, DataError, ModelError, SuiteError, UsageError
from bench.execution import executor as executors
from bench.execution.executor import Ended, Event, Executor, Slot, Started
from bench.execution.executors.inline import REMARK, Inline
from bench.execution.executors.local import Local
from bench.store import records
from bench.suite.trial import Json
from bench.trial import perform

SUITE = """\
name: s
models: {bert: {folder: bert}}
tasks:
  films:
    kind: text-classification
    data: {files: {train: train.csv, test: test.csv}}
    labels: [good, bad]
    max_length: 32
regimes: {zero-shot: , linear-probe: {C: [0.01, 10]}, lora: {r: 2, learning_rate: 0.01}, full: {learning_rate: 0.001}}
sizes: [24]
seeds: 1
tuning: {trials: 2}
budget: {steps: 5}
training: {batch_size: 8}
"""
TOYS = {
    "errors.py": '''
        """Errors of another package."""

        from bench.errors import ModelError, SuiteError


        class GatedError(ModelError):
            """A model that asks for a licence first."""

            def __init__(self, model: str, licence: str) -> None:
                super().__init__(f"{model}: accept {licence} first")
                self.licence = licence


        class MisfitsError(SuiteError):
            """Several problems."""
    ''',
    "gated.py": '''
        """Refuse all its models."""

        from pathlib import Path

        from pydantic import BaseModel

        from bench.suite.parameters import ModelParameters
        from toys.errors import GatedError, MisfitsError
        from bench.contracts import ModelSource


        class Parameters(ModelParameters):
            """Which."""

            gated: str


        class Gated(ModelSource[Parameters]):
            """Refuses."""

            VERSION = 1
            Parameters = Parameters

            def lock(self, parameters):
                """Never."""
                if parameters.gated == "several":
                    raise MisfitsError(["one thing", "another thing"])
                raise GatedError(parameters.gated, "the licence")

            def fetch(self, parameters, fingerprint):
                """Never."""
                raise GatedError(parameters.gated, "the licence")
    ''',
    "elsewhere.py": '''
        """An executor of another package: `local` under another name."""

        from bench.execution.executors.local import Local


        class Elsewhere(Local):
            """Says where it is."""

            def start(self):
                """Say so."""
                print("far away")
                super().start()
    ''',
}
ENTRIES = """\
[bench.plugins]
model_sources.gated = toys.gated
executors.elsewhere = toys.elsewhere
"""


class Remote(Executor):
    """An executor on another machine, for the type checker: orders and events are lines of JSON on some wire."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def slots(self, devices: Sequence[str], jobs: int) -> list[Slot]:
        """Two devices of a machine that is not this one."""
        return [Slot(f"node-1:{number}", str(number), 8) for number in range(2)]

    def environment(self, threads: int) -> Json:
        """What that machine has told."""
        return {
            "python": "3.13.1",
            "platform": "Linux aarch64",
            "packages": {},
            "processor": "another",
            "threads": threads,
        }

    def submit(self, order: Json, slot: Slot | None = None) -> str:
        """Send a line."""
        sent = {name: value for name, value in order.items() if name != "home"}
        self.sent.append(json.dumps(sent if slot is None else {**sent, "device": slot.device, "threads": slot.threads}))
        return str(len(self.sent) - 1)

    def events(self, timeout: float) -> Sequence[Event]:
        """Everything has come to nothing."""
        return [Ended(str(number), cause="the node has gone") for number in range(len(self.sent))]

    def kill(self, order: str) -> None:
        """Send a line."""

    def abandon(self, order: str) -> Ended:
        """Forget it."""
        return Ended(order, cause="no answer")

    def close(self) -> None:
        """Hang up."""


def test_an_executor_elsewhere_has_a_place() -> None:
    with Remote() as remote:
        name = remote.submit({"do": "trial", "home": [1, 2]}, remote.slots([], 1)[1])
        assert remote.events(0) == [Ended(name, cause="the node has gone")]
        assert json.loads(remote.sent[0]) == {"do": "trial", "device": "1", "threads": 8}
    assert remote.ISOLATED
    with pytest.raises(BenchError, match="preparing model m: the node has gone"):
        Remote().call({"do": "prepare", "kind": "model", "name": "m"})


def test_executors_are_found_by_name() -> None:
    assert plugins.names("executors") == ["inline", "local"]
    assert isinstance(executors.new("local"), Local)
    assert executors.new("inline") is not executors.new("inline")
    with pytest.raises(UsageError, match="did you mean 'inline'"):
        executors.new("in-line")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    tiny_bert("BertForMaskedLM", folder / "bert")
    write_texts(folder / "train.csv", 40, 0)
    write_texts(folder / "test.csv", 20, 1)
    (folder / "s.yaml").write_text(SUITE)
    return folder


def ran(home: Path, executor: str, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Json], list[str]]:
    """The records of the suite, by trial, and what was said."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("BENCH_CACHE", str(home / f"cache-{executor}"))
    said: list[str] = []
    outcome = api.run("s.yaml", home / executor, devices=["cpu"], threads=1, executor=executor, say=said.append)
    assert outcome.failed == 0, outcome
    return records.latest(records.read(outcome.folder).records), said


def test_inline_gives_the_results_of_local_bit_for_bit(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads, visible = torch.get_num_threads(), os.environ.get("CUDA_VISIBLE_DEVICES")
    inline, said = ran(home, "inline", monkeypatch)
    assert (torch.get_num_threads(), os.environ.get("CUDA_VISIBLE_DEVICES")) == (threads, visible)
    assert "`timeout` and `hung` are not enforced" in said[-2]
    local, said = ran(home, "local", monkeypatch)
    assert not any("executor" in line for line in said)
    assert inline.keys() == local.keys()
    assert len(local) == 4
    for trial, record in local.items():
        assert inline[trial]["scores"] == record["scores"]
        assert inline[trial]["environment"] == record["environment"]
        assert REMARK in inline[trial]["facts"]["notes"]
        assert REMARK not in record["facts"]["notes"]


def test_inline_runs_one_trial_at_a_time() -> None:
    with pytest.raises(UsageError, match=r"one trial at a time, not on cpu:0,cpu:1"):
        Inline().slots(["cpu"], 2)
    assert len(Inline().slots(["cpu"], 1)) == 1


def test_inline_does_orders_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def run(order: Json, emit: object, *, own_process: bool) -> Json:
        assert not own_process
        done.append(order["name"])
        return {"entry": {"of": order["name"]}}

    monkeypatch.setattr(perform, "run", run)
    with Inline() as inline:
        assert inline.call({"do": "prepare", "kind": "task", "name": "a"}) == {"of": "a"}
        one, two = (inline.submit({"do": "prepare", "kind": "task", "name": name}) for name in "bc")
        assert inline.events(1) == [Started(one)]
        assert done == ["a"]
        inline.kill(one)
        assert inline.events(1) == [Ended(one, cause="the trial was killed before it began")]
        assert inline.events(1) == [Started(two)]
        thread = threading.Thread(target=inline.events, args=(1,))  # where Python lets nobody handle signals
        thread.start()
        thread.join()
        assert done == ["a", "c"]
        assert inline.events(1) == []


class PickyError(DataError):
    """Takes no message."""

    def __init__(self, rows: list[int], cause: BaseException | None = None) -> None:
        super().__init__(f"rows {rows}")
        self.rows, self.cause = rows, cause


class MoodyError(ModelError):
    """Shows what no JSON holds."""

    def __init__(self, cause: object) -> None:
        super().__init__()
        self.cause = cause

    def __str__(self) -> str:
        return f"for {type(self.cause).__name__}"


def crossed(error: BenchError) -> BenchError:
    return errors.from_json(json.loads(json.dumps(errors.to_json(error))))


def test_an_error_arrives_as_what_it_is() -> None:
    found = crossed(SuiteError(["s.yaml:1: a", "s.yaml:2: b"]))
    assert type(found) is SuiteError
    assert found.problems == ("s.yaml:1: a", "s.yaml:2: b")
    assert str(found) == "s.yaml:1: a\ns.yaml:2: b"
    picky = crossed(PickyError([3, 4], ValueError("x")))
    assert isinstance(picky, PickyError)
    assert (str(picky), picky.rows, picky.exit_code) == ("rows [3, 4]", (3, 4), 2)


def test_an_error_that_cannot_be_made_here_arrives_as_its_nearest_base(monkeypatch: pytest.MonkeyPatch) -> None:
    class HiddenError(PickyError):
        """Nobody finds it by name."""

    assert type(crossed(HiddenError([1]))) is PickyError
    assert type(crossed(MoodyError(object()))) is ModelError
    assert str(crossed(MoodyError(object()))) == "for object"
    sent = errors.to_json(PickyError([1]))
    monkeypatch.setitem(sys.modules, __name__, None)
    assert type(errors.from_json(sent)) is DataError
    assert type(errors.from_json({**sent, "classes": [["os", "system"], ["builtins", "OSError"]]})) is BenchError


@pytest.fixture
def toys(tmp_path: Path) -> Path:
    """A folder with another package's plugins, and a suite."""
    package, about = tmp_path / "site" / "toys", tmp_path / "site" / "toys-1.0.dist-info"
    package.mkdir(parents=True)
    about.mkdir()
    (package / "__init__.py").write_text("")
    for name, source in TOYS.items():
        (package / name).write_text(textwrap.dedent(source).lstrip())
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(ENTRIES)
    write_texts(tmp_path / "train.csv", 40, 0)
    write_texts(tmp_path / "test.csv", 20, 1)
    return tmp_path


CATCH = """
import sys
from bench import api
from bench.errors import ModelError, SuiteError, UsageError
try:
    api.lock("s.yaml", say=lambda text: None)
except UsageError as error:
    print(type(error).__module__, type(error).__name__, type(error).__mro__[1].__name__)
    print(getattr(error, "licence", None), getattr(error, "problems", None))
    print(error)
"""


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(folder / "site"), str(Path(__file__).parents[1])])
    env = {**os.environ, "BENCH_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=env, capture_output=True, text=True, timeout=300
    )


def test_errors_of_a_plugin_cross_the_pipe_as_what_they_are(toys: Path) -> None:
    for model, expected in {
        "tiny": ["toys.errors GatedError ModelError", "the licence None", "tiny: accept the licence first"],
        "several": [
            "toys.errors MisfitsError SuiteError",
            "None ('one thing', 'another thing')",
            "one thing",
            "another thing",
        ],
    }.items():
        (toys / "s.yaml").write_text(SUITE.replace("{folder: bert}", f"{{gated: {model}}}"))
        done = python(toys, "-c", CATCH)
        assert done.stdout.splitlines() == expected, done.stderr
    done = python(toys, "-c", "from bench.cli import main; main()", "lock", "s.yaml")
    assert done.returncode == 2
    assert "one thing\nanother thing\n" in done.stderr


def test_another_packages_executor_runs_a_suite(toys: Path) -> None:
    tiny_bert("BertForMaskedLM", toys / "bert")
    regimes = SUITE.replace(
        "linear-probe: {C: [0.01, 10]}, lora: {r: 2, learning_rate: 0.01}, full: {learning_rate: 0.001}", ""
    )
    (toys / "s.yaml").write_text(regimes)
    done = python(toys, "-c", "from bench.cli import main; main()", "run", "s.yaml", "--executor", "elsewhere")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "far away" in done.stdout
    assert {r["status"] for r in records.read(toys / "results/s").records} == {"ok"}
