"""The server that trials are forked from: stopped, among hostile modules, beside code that prints, without a folder."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ground import REAL, TINY, Ground
from rows import Row

QUICK = "from bench.execution.local import server_handle as process; process.SILENCE, process.STANDSTILL = 3, 2\n"
HOSTILE = """\
import os
with open({mark!r}, "a") as file:
    file.write(__file__ + os.linesep)
raise SystemExit("hostile")
"""
PRINTS = """\
import os, sys
if sys.orig_argv[1].endswith("tiny_server.py"):
    os.write(1, b"Welcome!\\n{\\"event\\": \\"ended\\", \\"order\\": \\"order-1\\", \\"exit\\": 0}\\n")
    print("buffered")
    assert sys.stdin.read() == ""
"""


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    """Tiny trials, and a server that is taken for dead after three seconds."""
    found = Ground(tmp_path, QUICK + TINY).fill()
    yield found
    found.end()


def statuses(ground: Ground, suite: str, code: int, acts: dict[int, str]) -> dict[str, int]:
    out, _ = ground.run("run", suite, "--json", code=code, acts=acts)
    found: dict[str, int] = json.loads(out)["statuses"]
    return found


@pytest.mark.fault(Row.STOPPED)
def test_a_stopped_trial_is_hung_and_the_others_run(ground: Ground) -> None:
    assert statuses(ground, ground.suite("s", 2, "hung: 1\n"), 1, {0: "stops"}) == {"hung": 2, "ok": 1}


@pytest.mark.fault(Row.STOPPED)
@pytest.mark.parametrize("limit", ["hung", "timeout"])
def test_a_stopped_server_is_replaced_and_its_trial_meets_its_limit(ground: Ground, limit: str) -> None:
    found = statuses(ground, ground.suite("s", 2, f"{limit}: 1\n"), 1, {0: "stops_server"})
    assert found == {limit: 2 if limit == "hung" else 1, "ok": 1}


@pytest.mark.fault(Row.STOPPED)
def test_what_had_ended_under_a_stopped_server_counts(ground: Ground) -> None:
    assert statuses(ground, ground.suite("s", 2), 0, {0: "stops_server_and_ends"}) == {"ok": 2}


@pytest.mark.fault(Row.STOPPED)
def test_a_server_that_is_stopped_while_it_imports_is_replaced(ground: Ground) -> None:
    ground.source = QUICK + TINY.replace(
        "local.COMMAND = (", "local.COMMAND = (sys.executable, '-c', 'import os; os.kill(os.getpid(), 19)', "
    )
    _, err = ground.run("run", ground.suite("s", 1), code=1)
    assert "the process that trials are forked from showed no sign of life for 3 s and was killed" in err


@pytest.mark.fault(Row.STOPPED)
def test_a_run_that_stood_still_for_a_while_goes_on(ground: Ground) -> None:
    process = ground.start("run", ground.suite("s", 1, "hung: 2\ntimeout: 6\n"), "--json", acts={0: "slow_and_alive"})
    ground.until(ground.forked, 30)
    group = ground.living()
    for one in group:
        os.kill(one.pid, signal.SIGSTOP)
    time.sleep(5)
    for one in group:
        os.kill(one.pid, signal.SIGCONT)
    assert json.loads(ground.ended(process, 0)[0])["statuses"] == {"ok": 1}


@pytest.mark.fault(Row.FOLDER)
def test_hostile_modules_in_the_current_folder_are_not_imported(ground: Ground) -> None:
    mark = ground.folder / "mark"
    for name in ("calendar.py", "json.py", "numpy.py", "sitecustomize.py", "torch.py", "torchvision.py"):
        (ground.folder / name).write_text(HOSTILE.format(mark=str(mark)))
    (ground.folder / "bench").mkdir()
    (ground.folder / "bench/__init__.py").write_text(HOSTILE.format(mark=str(mark)))
    assert statuses(ground, ground.suite("s", 1), 0, {0: "starts_python"}) == {"ok": 1}
    ground.source = REAL
    _, err = (process := ground.start("lock", ground.suite("other", 1))).communicate(timeout=200)
    assert "model m" in err  # the real server has said something of a model that is no more than a name
    assert process.returncode in (0, 2), err
    assert not mark.exists(), mark.read_text()


@pytest.mark.fault(Row.OUTPUT)
def test_code_that_prints_or_reads_while_it_is_imported_disturbs_nothing(ground: Ground) -> None:
    (ground.folder / "path").mkdir()
    (ground.folder / "path/sitecustomize.py").write_text(PRINTS)
    ground.env["PYTHONPATH"] = str(ground.folder / "path")
    assert statuses(ground, ground.suite("s", 2), 1, {0: "fails"}) == {"failed": 1, "ok": 1}
    (failed,) = (record for record in ground.records("s") if record["status"] == "failed")
    assert "buffered" not in failed["log"]


@pytest.mark.fault(Row.CACHE_GONE)
@pytest.mark.parametrize("act", ["loses_scratch", "kills_server_without_scratch"])
def test_an_emptied_temporary_folder_costs_the_trial_in_flight_and_that_runs_again(ground: Ground, act: str) -> None:
    (ground.folder / "tmp").mkdir()
    ground.env["TMPDIR"] = str(ground.folder / "tmp")
    assert statuses(ground, ground.suite("s", 2), 0, {0: act}) == {"killed": 1, "ok": 2}
    killed, *_ = ground.records("s")
    if act == "loses_scratch":
        assert killed["cause"].endswith("could not leave its result: the temporary folder was emptied meanwhile")
    assert not list((ground.folder / "tmp").iterdir())
