"""Surroundings that people have: devices that are none, odd names of folders, -OO, streams closed or read by nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ground import REAL, Ground
from rows import Row

from bench.errors import UsageError
from bench.execution.executors.local import _environment
from bench.execution.local import devices
from bench.store import cache
from bench.trial.prepare import prepare

ODD = os.fsdecode(b"caf\xe9")


@pytest.mark.fault(Row.DEVICES)
def test_devices_that_torch_cannot_use_are_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "77")
    look = devices.order([], devices.slots())
    assert look is not None
    with pytest.raises(
        UsageError, match=r"^CUDA_VISIBLE_DEVICES=77: torch \S+ cannot use that here \(.+--devices cpu$"
    ):
        prepare(look)
    named = devices.order(["77"], devices.slots(["77"]))
    with pytest.raises(UsageError, match=r"^--devices 77: torch"):
        prepare(named or {})
    assert devices.order(["cpu"], devices.slots(["cpu"])) is None


@pytest.mark.fault(Row.DEVICES)
def test_nothing_starts_before_the_devices_have_been_tried(ground: Ground) -> None:
    ground.env |= {"CUDA_VISIBLE_DEVICES": "0", "TINY_NO_DEVICE": "1"}
    _, err = ground.run("run", ground.suite("d", 2), code=2)
    assert err == "bench: CUDA_VISIBLE_DEVICES=0: there is none\n"
    assert not ground.records("d")


@pytest.mark.fault(Row.DEVICES)
@pytest.mark.parametrize(
    ("visible", "found"),
    [("0, 1", ["0", "1"]), ("0,-1,1", ["0"]), ("NoDevFiles", []), ("", []), ("GPU-0a,MIG-1", ["GPU-0a", "MIG-1"])],
)
def test_what_cuda_hides_is_no_device(visible: str, found: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert devices.cuda_devices() == found
    assert "CUDA_DEVICE_ORDER" not in _environment()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert _environment()["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"  # as the driver's own list is numbered
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "FASTEST_FIRST")
    assert _environment()["CUDA_DEVICE_ORDER"] == "FASTEST_FIRST"


@pytest.mark.fault(Row.SURROUNDINGS)
def test_the_cache_may_begin_with_a_tilde_be_empty_or_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for value, place in (("~/x", "x"), ("", ".cache/bench"), ("here", "here")):
        monkeypatch.setenv("BENCH_CACHE", value)
        assert cache.root() == tmp_path / place
    monkeypatch.delenv("BENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache.root() == tmp_path / ".cache/bench"


@pytest.mark.fault(Row.SURROUNDINGS)
def test_a_folder_whose_name_is_no_text_is_told_in_one_line(ground: Ground) -> None:
    suite = ground.suite("s", 1)
    (ground.folder / ODD).mkdir()
    _, err = ground.run("run", suite, "--results", ODD, code=2)
    assert err.endswith("/caf�/s: results cannot lie there, its name is not UTF-8; rename the folder\n")
    assert not ground.run("plan", suite, "--results", ODD)[1]
    assert ground.run("report", ODD, code=2)[1].count("\n") == 1
    ground.env["BENCH_CACHE"] = ODD
    _, err = ground.run("lock", suite, code=2)
    assert "the cache cannot lie there" in err


def command(ground: Ground, *arguments: str, python: tuple[str, ...] = (), **streams: object) -> tuple[int, str, str]:
    """The exit code and output of a command that is started with other streams, or by another Python."""
    line = [sys.executable, "-P", *python, "-c", REAL, *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    done = subprocess.run(line, cwd=ground.folder, env=ground.env, text=True, check=False, **pipes)  # type: ignore[call-overload]
    return done.returncode, done.stdout or "", done.stderr or ""


@pytest.mark.fault(Row.SURROUNDINGS)
def test_without_docstrings_and_asserts(ground: Ground) -> None:
    lists = [command(ground, "list", python=python) for python in ((), ("-OO",))]
    assert lists[0] == lists[1]
    assert lists[0][0] == 0
    ground.env["PYTHONOPTIMIZE"] = "2"
    out, _ = ground.run("run", ground.suite("s", 1), "--json")
    assert json.loads(out)["statuses"] == {"ok": 1}


@pytest.mark.fault(Row.SURROUNDINGS)
def test_output_that_nobody_reads_is_no_failure(ground: Ground) -> None:
    suite = ground.suite("s", 1)
    ground.run("run", suite)
    for arguments, code in (
        (("list",), 0), (("plan", suite), 0), (("report", "results"), 0), (("--help",), 0), (("run", suite), 141),
    ):  # fmt: skip
        reader, writer = os.pipe()
        os.close(reader)
        assert command(ground, *arguments, stdout=writer) == (code, "", ""), arguments
        os.close(writer)


@pytest.mark.fault(Row.SURROUNDINGS)
@pytest.mark.parametrize("closed", [(0,), (1,), (0, 1, 2)])
def test_closed_streams_do_no_harm(ground: Ground, closed: tuple[int, ...]) -> None:
    suite = ground.suite("s", 1)
    shut = (
        "import os, sys; [os.close(n) for n in {}]; os.execv(sys.executable, sys.orig_argv[:3] + [{!r}] + sys.argv[1:])"
    )
    source = shut.format(list(closed), ground.source)
    line = [sys.executable, "-P", "-c", source, "run", suite]
    done = subprocess.run(line, cwd=ground.folder, env=ground.env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert [record["status"] for record in ground.records("s")] == ["ok"]
    ground.nobody_left(5)


@pytest.mark.fault(Row.SURROUNDINGS)
def test_a_current_folder_that_has_gone_is_told_in_one_line(ground: Ground) -> None:
    suite = ground.folder / ground.suite("f", 1)
    (away := ground.folder / "away").mkdir()
    code = f"import os; os.chdir({str(away)!r}); os.rmdir({str(away)!r})\n{ground.source}"
    _, err = Ground(ground.folder, code).run("run", str(suite), code=3)
    assert err == "bench: the current folder has gone: No such file or directory; put that right, run again\n"


@pytest.mark.fault(Row.ODD_FILE)
def test_a_pipe_in_the_place_of_locked_data_is_never_waited_for(ground: Ground) -> None:
    suite = ground.suite("f", 1)
    ground.run("run", suite)
    (ground.folder / "a.csv").unlink()
    os.mkfifo(ground.folder / "a.csv")
    _, err = ground.run("run", suite, code=2)
    assert "a.csv: is no file, but a folder, pipe or device" in err
