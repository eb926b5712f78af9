"""What becomes of trials whose process ends badly, with a fake server in place of the one that imports torch."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import api, plugins
from bench.errors import BenchError, StoreError
from bench.runner import lock as locks
from bench.runner import server
from bench.runner.summary import summarise
from bench.store import records
from bench.suite.schema import Suite

SERVER = """#!{python}
import json, os, subprocess, sys
orders, events = map(int, sys.argv[1:])
def emit(**event):
    os.write(events, json.dumps(event).encode() + b"\\n")
emit(event="ready")
for line in open(orders):
    order = json.loads(line)
    job, seed = order["job"], order["trial"]["seed"] if order["do"] == "trial" else None
    scores = {{"metric": "accuracy", "test": {{"accuracy": 0.5}}}}
    good = {{"status": "ok", "cause": None, "scores": scores, "costs": {{}}}}
    result, how, log = json.dumps(good), {{"exit": 0}}, b"the end of the log"
    process = subprocess.Popen(["sleep", "5"], start_new_session=True)
    emit(event="started", job=job, pid=process.pid)
    if order["do"] == "prepare":
        result = json.dumps({{"entry": {{}}}})
    elif seed == 1:
        result = result[:30]
    elif seed == 2:
        result = result.replace("0.5", "NaN")
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
    emit(event="ended", job=job, **how)
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
    monkeypatch.setattr(server, "COMMAND", [str(python.absolute())])
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
        plugin = plugins.load("models" if section == "models" else "data", source.source)
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
    monkeypatch.setattr(server, "COMMAND", [sys.executable, "-c", "raise SystemExit('no torch here')"])
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
