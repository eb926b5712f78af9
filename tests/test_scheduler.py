"""What becomes of trials whose process ends badly, with a fake server in place of the one that imports torch."""

from __future__ import annotations

import io
import json
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console
from rows import Row

from bench import api, plugins
from bench.analysis import frame
from bench.cli import main
from bench.errors import BenchError, StoreError
from bench.execution.executor import Slot
from bench.execution.executors import local
from bench.execution.progress import Lines, score
from bench.planning import lock as locks
from bench.planning import trial_counts
from bench.planning.plan import Cell
from bench.planning.summary import doing, status_of, summarise
from bench.report.section import sections
from bench.store import atomic, hold, paths, records
from bench.suite.schema import Suite
from bench.suite.trial import Trial

SERVER = """#!{python}
import json, os, subprocess, sys
orders, events = map(int, sys.argv[1:])
def emit(**event):
    os.write(events, json.dumps(event).encode() + b"\\n")
emit(event="ready")
for line in open(orders):
    order = json.loads(line)
    name, seed = order["order"], order["trial"]["seed"] if order["do"] == "trial" else None
    scores = {{"metric": "accuracy", "test": {{"accuracy": 0.5}}, "validation": {{"accuracy": 0.5, "log_loss": 1.0}}}}
    good = {{"status": "ok", "cause": None, "scores": scores, "costs": {{}}}}
    result, how, log = json.dumps(good), {{"exit": 0}}, b"the end of the log"
    process = subprocess.Popen(["sleep", "5"], start_new_session=True)
    emit(event="started", order=name, pid=process.pid)
    if order["do"] == "prepare":
        result = json.dumps({{"entry": {{}}}})
    elif seed == 1:
        result = result[:30]
    elif seed == 2:
        result = result.replace("0.5", "NaN", 1)
    elif seed == 3:
        result, log = json.dumps({{"status": "failed", "cause": "bad byte \\udcff \\x1b[31m"}}), b"\\xff\\xfe log"
    elif seed == 4:
        result, how = None, {{"signal": 9}}
    elif seed == 5:
        result, how = None, {{"signal": -process.wait()}}
    elif seed == 6:
        sys.stderr.write("no memory left\\n")
        sys.exit(7)
    process.kill()
    process.wait()
    open(order["log"], "wb").write(log)
    if result is not None:
        open(order["result"], "w").write(result)
    emit(event="ended", order=name, **how)
"""


def suite_of(seeds: list[int], **more: Any) -> Suite:
    content = {
        "name": "s",
        "models": {"m": {"folder": "model"}},
        "tasks": {"t": {"kind": "text-classification", "data": {"files": "a.csv"}, "splits": {"test": 0.2}}},
        "regimes": {"full": {"learning_rate": 0.001}},
        "sizes": [16],
        "seeds": seeds,
        **more,
    }
    Path("s.yaml").write_text(json.dumps(content))
    return api.load_suite("s.yaml")


@pytest.fixture(autouse=True)
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake server, and a model and data that were locked earlier."""
    monkeypatch.chdir(tmp_path)
    python = Path("python")
    python.write_text(SERVER.format(python=sys.executable))
    python.chmod(stat.S_IRWXU)
    monkeypatch.setattr(local, "COMMAND", [str(python.absolute())])
    Path("model").mkdir()
    Path("model/config.json").write_text(json.dumps({"model_type": "bert", "architectures": ["BertForMaskedLM"]}))
    Path("model/model.safetensors").touch()
    Path("a.csv").write_text("text,label\n" + "".join(f"word {i},{'ab'[i % 2]}\n" for i in range(50)))
    suite = suite_of([0])
    found: dict[str, Any] = locks.read(api.folder_of(suite))
    for section, name, _, order in locks.orders(suite, found):
        entry: dict[str, Any] = {"labels": ["a", "b"], "classes": {"train": [20, 20], "test": [5, 5]}, "dropped": 0}
        if section == "models":
            entry = {"files": {"config.json": Path("model/config.json").read_text()}}
        source = suite.models[name] if section == "models" else suite.tasks[name].data
        plugin = plugins.load("model_sources" if section == "models" else "data_sources", source.source)
        found[section][name] = {
            "request": order["request"],
            **entry,
            "fingerprint": plugin.fingerprint(source.parameters),
        }
    locks.write(api.folder_of(suite), found)


def run(suite: Suite) -> dict[int, dict[str, Any]]:
    """The last record of every seed."""
    api.run(suite, devices=["cpu"], say=lambda text: None)
    found = records.read(api.folder_of(suite))
    assert not found.damaged
    return {record["trial"]["seed"]: record for record in found.records}


def test_every_bad_end_is_a_record_and_the_others_run() -> None:
    found = run(suite_of([0, 1, 2, 3, 4, 7]))
    assert {seed: record["status"] for seed, record in found.items()} == {
        0: "ok", 1: "killed", 2: "failed", 3: "failed", 4: "killed", 7: "ok",
    }  # fmt: skip
    assert found[1]["cause"] == "the trial's process ended with exit code 0"
    assert "no plain numbers" in found[2]["cause"]
    assert found[3]["cause"].startswith("bad byte ?")
    assert found[3]["log"] == "\ufffd\ufffd log"
    assert found[4]["cause"] == "the trial's process ended with signal 9"
    assert found[0]["log"] is None


def test_only_what_was_killed_runs_again_twice_a_run() -> None:
    suite = suite_of([0, 4])
    assert run(suite).keys() == {0, 4}
    again = api.run(suite, devices=["cpu"], say=lambda text: None)
    assert again.executed == 2
    assert again.statuses == {"killed": 2}
    assert again.failed == 1
    assert len(records.read(again.folder).records) == 5


@pytest.mark.parametrize(
    ("limit", "said"), [("timeout", "longer than the suite's timeout"), ("hung", "no sign of life")]
)
def test_what_runs_too_long_is_killed(limit: str, said: str) -> None:
    found = run(suite_of([5, 0], **{limit: 0.3}))
    assert found[5]["status"] == limit
    assert said in found[5]["cause"]
    assert found[0]["status"] == "ok"


def test_a_dead_server_is_replaced() -> None:
    found = run(suite_of([6, 0]))
    assert {seed: record["status"] for seed, record in found.items()} == {6: "killed", 0: "ok"}
    assert found[6]["cause"] == "the process that trials are forked from ended with exit code 7"


def test_a_server_that_does_not_start_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "COMMAND", [sys.executable, "-c", "raise SystemExit('no torch here')"])
    with pytest.raises(BenchError, match="ended with exit code 1; what had finished is kept") as caught:
        run(suite_of([0]))
    assert str(caught.value).endswith("no torch here")
    assert not isinstance(caught.value, StoreError)


def test_what_cannot_run_is_said_once_for_all_it_concerns() -> None:
    suite = suite_of([0], sizes=[16, 5000, 6000], regimes={"full": {"learning_rate": 0.001}, "retrain": None})
    notes = summarise(api.plan(suite), Path("results"), False)["notes"]
    assert notes[:-1] == [
        "t · m · full, retrain · size 5000, 6000: the training split has only 40 labelled examples",
    ]


class Told(Lines):
    """What a run says, as it says it: the trials it starts, and the cells that are complete."""

    def __init__(self, slots: list[Slot]) -> None:
        super().__init__(Console(file=io.StringIO()), len(slots))
        self.begun: list[Trial] = []
        self.scores: list[str] = []

    def started(self, slot: Slot, trial: Trial) -> None:
        self.begun.append(trial)

    def complete(self, cell: Cell, records: Sequence[dict[str, Any]]) -> None:
        self.scores.append(score(cell, records))


REGIMES = {"full": {"learning_rate": [0.001, 0.002]}, "linear-probe": None, "zero-shot": None}


def test_cheap_cells_come_first_and_each_runs_to_its_score() -> None:
    views: list[Told] = []

    def view(slots: list[Slot]) -> Told:
        views.append(Told(slots))
        return views[0]

    suite = suite_of([10, 11], regimes=REGIMES, sizes=[16, 24], tuning={"trials": 2})
    said: list[str] = []
    assert api.run(suite, devices=["cpu"], say=said.append, progress=view).executed == 13
    assert said[-1].startswith("13 trials: 13 missing; nothing is known yet of how long they take")
    cells = [("zero-shot", 0)] + [(regime, size) for regime in ("linear-probe", "full") for size in (16, 24)]
    assert list(dict.fromkeys((t.names.regime, t.size) for t in views[0].begun)) == cells
    tried = [(*t.tuned, t.seed) for t in views[0].begun if t.names.regime == "full" and t.size == 16]
    assert tried == [("learning_rate", seed) for seed in (10, 10, 11, 11)]  # one seed after another to its choice
    assert [line.split(":")[0].split(" · ", 2)[2] for line in views[0].scores] == [
        "zero-shot", "linear-probe · size 16", "linear-probe · size 24", "full · size 16", "full · size 24",
    ]  # fmt: skip
    assert views[0].scores[-1].endswith("full · size 24: accuracy 0.500 (mean of 2 seeds)")


def test_what_was_begun_is_finished_first() -> None:
    api.run(suite_of([10], sizes=[24]), devices=["cpu"], say=lambda text: None)
    view = Told([])
    api.run(
        suite_of([10, 11], regimes={"zero-shot": None, "full": {"learning_rate": 0.001}}, sizes=[16, 24]),
        devices=["cpu"], say=lambda text: None, progress=lambda slots: view,
    )  # fmt: skip
    assert [(t.names.regime, t.size) for t in view.begun][:2] == [("full", 24), ("zero-shot", 0)]


def test_a_seed_whose_every_value_fails_is_a_failed_seed_and_its_cell_is_said_once() -> None:
    view = Told([])
    suite = suite_of([3, 10], regimes={"full": {"learning_rate": [0.001, 0.002]}}, tuning={"trials": 2})
    outcome = api.run(suite, devices=["cpu"], say=lambda text: None, progress=lambda slots: view)
    assert view.scores == ["t · m · full · size 16: accuracy 0.500 (mean of 1 of 2 seeds)"]
    assert {state: n for state, n in outcome.trials.items() if n} == {"trials": 4, "done": 2, "failed": 2}


def test_one_account_everywhere() -> None:
    suite = suite_of([0, 3, 4])
    outcome = api.run(suite, devices=["cpu"], say=lambda text: None)
    counts = {"trials": 3, "done": 1, "failed": 1, "again": 1, "missing": 0, "waiting": 0}
    assert outcome.trials == {name: count for name, count in counts.items() if count}
    assert outcome.failed == 2
    assert summarise(api.plan(suite), Path("results"), False)["trials"] == counts
    (found,) = status_of(Path("results"))
    assert (found["trials"], found["now"]) == (counts, None)
    (section,) = sections(frame.load(Path("results")))
    said = trial_counts.said(counts)
    assert said == "3 trials: 1 done, 1 failed, 1 to run again"
    assert section.headline.startswith(f"{said} (1 killed). ")


def test_before_anything_is_locked_the_plan_counts_at_most_what_will_run_tuning_too() -> None:
    suite = suite_of(
        [10, 11], name="other", regimes=REGIMES, sizes=[16, 24], tuning={"trials": 2}, label_noise=[0, 0.2]
    )
    found = summarise(api.plan(suite), Path("results"), False)
    assert found["trials"]["missing"] == 1 + 2 * 2 * (2 + 2 * 2)  # a probe tunes itself; each seed tries two values
    assert "9 cells are unresolved: at most so many trials, tuning included" in found["notes"][-1]


def test_a_smoke_run_foretells_the_suite() -> None:
    suite = suite_of([10, 11], regimes=REGIMES, sizes=[16, 5000], tuning={"trials": 2})
    atomic.write_bytes(paths.lock(Path("results/s-smoke")), paths.lock(Path("results/s")).read_bytes())
    paths.lock(Path("results/s")).unlink()
    assert api.run(suite, smoke=True, devices=["cpu"], say=lambda text: None).executed == 3
    found = summarise(api.plan(suite), Path("results"), False)
    assert found["trials"] == {"trials": 7, "done": 0, "failed": 0, "again": 0, "missing": 7, "waiting": 0}
    assert "the training split has only 40 labelled examples" in found["notes"][0]
    assert found["notes"][-2] == "5 cells are unresolved: counted as the smoke run found them"
    assert json.loads(paths.plan(Path("results/s-smoke")).read_bytes())["suite"] == "s-smoke"


@pytest.mark.fault(Row.NOTHING_APPLIES)
def test_where_nothing_applies_the_reasons_are_said_and_it_is_no_success() -> None:
    done = CliRunner().invoke(main, ["run", str(suite_of([0], sizes=[1000]).path), "--devices", "cpu"])
    assert done.exit_code == 2
    assert done.stderr.splitlines() == [
        "bench: suite s: nothing of it applies, so nothing was run",
        "  t · m · full · size 1000: the training split has only 40 labelled examples",
    ]


def test_status_names_who_works_where_nothing_has_run_yet() -> None:
    folder = Path("results/new")
    with hold.alone(folder) as home:
        found = next(one for one in status_of(Path("results")) if one["suite"] == "new")
        (line,) = doing(found["now"])
        assert line.startswith(f"a `bench run` or `bench lock` works here: process {os.getpid()} on ")
        hold.tell(home, {"running": [{"trial": "x", "slot": "cpu", "since": "once", "seconds": 5.0}], "left": 1.0})
        assert doing(hold.told(folder) or {}) == ["running on cpu for 0 s, about 5 s more: x", "about 1 s left in all"]
        paths.holder(folder).write_text('{"running": 7}')
        assert hold.told(folder) == {}
        assert len(doing({})) == 1
    assert hold.told(folder) is None
