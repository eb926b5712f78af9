"""What becomes of a whole run whose processes are killed, hang, lose their device or fill the disk."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from ground import TINY, Ground
from rows import Row

KILLS = 100


def scores(ground: Ground, name: str) -> dict[str, float]:
    found = {r["trial"]["id"]: r["scores"]["test"]["accuracy"] for r in ground.records(name)}
    assert len(found) == len(ground.records(name)), "a trial ran twice"
    return found


@pytest.mark.fault(Row.RUNNER)
@pytest.mark.parametrize("stream", range(2))
def test_a_runner_killed_at_any_moment_loses_only_what_was_in_flight(ground: Ground, stream: int) -> None:
    moments, suites = random.Random(stream), []
    for kill in range(KILLS):
        if not suites or len(ground.records(suites[-1])) > 250:
            suites.append(f"s{kill}")
            ground.suite(suites[-1], 300)
        before = ground.records(suites[-1])
        process = ground.start("run", f"{suites[-1]}.yaml", "--jobs", "2")
        if moments.random() < 0.8:  # most of the time is start-up: wait until something happens
            ground.wait_for(suites[-1], len(before) + 1, process)
        time.sleep(moments.random() * 0.3)
        process.kill()
        process.communicate()
        ground.nobody_left(1)
        after = ground.records(suites[-1])
        assert all(record in after for record in before)
    ground.run("run", ground.suite("undisturbed", 300), "--jobs", "2")
    for name in suites:
        ground.run("run", f"{name}.yaml", "--jobs", "2")
        assert scores(ground, name) == scores(ground, "undisturbed")


@pytest.mark.fault(Row.WORKER)
def test_a_worker_that_dies_is_a_record_and_the_next_trial_runs(ground: Ground) -> None:
    acts = {0: "segfault", 1: "killed", 2: "exits", 3: "kills_server"}
    out, _ = ground.run("run", ground.suite("w", 6), "--json", acts=acts, code=1)
    assert json.loads(out)["statuses"] == {"killed": 8, "ok": 2}  # infrastructure: each once more
    found = {r["trial"]["seed"]: r for r in ground.records("w")}
    causes = {seed: found[seed]["cause"] for seed in acts}
    assert causes == {
        0: "the trial's process ended with signal 11",
        1: "the trial's process ended with signal 9",
        2: "the trial's process ended with exit code 1",
        3: "the process that trials are forked from ended with signal 9",
    }
    assert "about to fall\nFatal Python error: Segmentation fault" in found[0]["log"]
    assert "in segfault" in found[0]["log"]
    assert found[2]["log"].rstrip().endswith("SystemExit: 3")
    assert found[3]["log"] == "my server goes\n"
    assert found[5]["status"] == "ok"


@pytest.mark.fault(Row.HOST_MEMORY)
def test_out_of_host_memory_is_said_where_the_kernel_says_so(ground: Ground) -> None:
    with memory_limit(120_000_000) as enter:
        ground.source = enter + TINY
        out, _ = ground.run("run", ground.suite("m", 3), "--json", acts={0: "greedy", 1: "killed"}, code=1)
    assert json.loads(out)["statuses"] == {"oom_host": 2, "killed": 2, "ok": 1}
    found = {r["trial"]["seed"]: r for r in ground.records("m")}
    assert found[0]["cause"] == "the kernel killed it: the machine ran out of memory"
    assert found[1]["status"] == "killed"


@contextlib.contextmanager
def memory_limit(size: int) -> Iterator[str]:
    """Source text that puts the process which runs it into a control group of at most so many bytes."""
    home = Path("/sys/fs/cgroup/memory")
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    path = next((line.split(":")[2] for line in lines if line.split(":")[1] == "memory"), None)
    if path is None:
        pytest.skip("no version 1 memory control group here")
    group = home / path.lstrip("/") / "bench-test"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(size))
    except OSError:
        pytest.skip("no control group may be made here")
    try:
        yield f"open({str(group / 'cgroup.procs')!r}, 'w').write(str(__import__('os').getpid()))\n"
    finally:
        for left in (*group.glob("bench-*"), group):
            left.rmdir()


@pytest.mark.fault(Row.TWO_RUNNERS)
def test_a_second_runner_is_told_who_the_first_is(ground: Ground) -> None:
    suite = ground.suite("two", 300)
    first = ground.start("run", suite)
    ground.wait_for("two", 1)
    second = ground.start("run", suite)
    _, error = second.communicate(timeout=60)
    assert second.returncode == 3
    assert f"works here: process {first.pid} on {socket.gethostname()}, since 20" in error
    assert error.count("\n") == 1
    first.kill()
    first.communicate()
    third = ground.start("run", suite)  # at once
    before = len(ground.records("two"))
    ground.wait_for("two", before + 1)
    third.kill()
    third.communicate()


@pytest.mark.fault(Row.HANG)
def test_what_hangs_dies_with_all_it_started_and_says_where_it_hung(ground: Ground) -> None:
    acts = {0: "silent", 1: "chatty", 2: "hangs_with_children", 3: "leaves_children"}
    begun = time.monotonic()
    out, _ = ground.run("run", ground.suite("h", 5, "hung: 1\ntimeout: 3\n"), "--json", acts=acts, code=1)
    assert json.loads(out)["statuses"] == {"hung": 4, "timeout": 1, "ok": 2}
    assert time.monotonic() - begun < 60
    found = {r["trial"]["seed"]: r for r in ground.records("h")}
    assert found[0]["cause"] == "no sign of life for 1 s"
    assert "in silent" in found[0]["log"]
    assert found[1]["cause"] == "longer than the suite's timeout of 3 s"
    assert "in chatty" in found[1]["log"]
    assert found[3]["status"] == "ok"


@pytest.mark.fault(Row.HANG)
def test_what_a_trial_leaves_running_is_gone_before_the_run_is(ground: Ground) -> None:
    process = ground.start("run", ground.suite("g", 2), acts={0: "leaves_children", 1: "silent"})
    ground.wait_for("g", 1)
    ground.until(lambda: not any("SIG_IGN" in " ".join(p.cmdline()) for p in ground.living()), 5)
    process.kill()
    process.communicate()
    ground.nobody_left(1)


@pytest.mark.fault(Row.INTERRUPT)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_asked_to_stop_it_lets_finish_what_runs(ground: Ground, number: int) -> None:
    if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("what starts these tests has it ignored, as nohup does")
    process = ground.start("run", ground.suite("i", 5), acts={1: "slow"})
    ground.wait_for("i", 1)
    ground.until(lambda: ground.forked())
    time.sleep(0.2)
    process.send_signal(number)
    out, error = ground.ended(process, 130)
    assert "stopping: 20 s for what runs" in out
    assert error == ("bench: interrupted; what had finished is kept. To go on from there: bench run i.yaml\n")
    assert [r["status"] for r in ground.records("i")] == ["ok", "ok"]
    ground.run("run", "i.yaml")
    assert len(scores(ground, "i")) == 5


@pytest.mark.fault(Row.INTERRUPT)
@pytest.mark.parametrize("how", ["twice", "grace"])
def test_what_does_not_finish_in_time_is_killed_and_runs_again(ground: Ground, how: str) -> None:
    grace = ["--grace", "0.5"] if how == "grace" else []
    process = ground.start("run", ground.suite("j", 3), *grace, acts={1: "silent"})
    ground.wait_for("j", 1)
    ground.until(lambda: ground.forked())
    time.sleep(0.2)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    if how == "twice":
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
    ground.ended(process, 130)
    assert time.monotonic() - begun < 5
    assert [(r["status"], r["cause"]) for r in ground.records("j")] == [
        ("ok", None), ("killed", "interrupted by the user"),
    ]  # fmt: skip
    out, _ = ground.run("run", "j.yaml", "--json")
    assert json.loads(out)["statuses"] == {"ok": 2}


@pytest.mark.fault(Row.DEVICE_LOST)
def test_a_lost_device_is_set_aside_and_its_trial_runs_elsewhere(ground: Ground) -> None:
    ground.env["CUDA_VISIBLE_DEVICES"] = "0,1"
    acts = dict.fromkeys(range(6), "loses_device")
    out, error = ground.run("run", ground.suite("d", 6), "--json", acts=acts)
    assert json.loads(out)["statuses"] == {"killed": 1, "ok": 6}
    assert "0 is set aside: CUDA error: GPU is lost" in error
    out, error = ground.run(
        "run", ground.suite("e", 6), "--json", acts=dict.fromkeys(range(6), "loses_any_device"), code=1
    )
    assert "bench: no device is left (0: CUDA error: GPU is lost; 1: CUDA error: GPU is lost)" in error
    out, _ = ground.run("run", "e.yaml", "--json")
    assert json.loads(out)["statuses"] == {"ok": 6}


@pytest.mark.fault(Row.NOISY)
def test_what_a_worker_prints_neither_blocks_nor_counts(ground: Ground) -> None:
    out, _ = ground.run("run", ground.suite("n", 2), "--json", acts={0: "noisy"})
    assert json.loads(out)["statuses"] == {"ok": 2}
    assert len(scores(ground, "n")) == 2
    ground.run("run", ground.suite("o", 2), acts={0: "noisy_and_killed"}, code=1)
    found = next(r for r in ground.records("o") if r["status"] == "killed")
    assert len(found["log"]) <= 4000
    assert found["log"].endswith("the end\n")


@pytest.mark.fault(Row.RETRY)
def test_what_fails_for_its_own_reasons_runs_again_only_when_asked(ground: Ground) -> None:
    suite, acts = ground.suite("r", 3), {0: "fails", 1: "killed"}
    out, _ = ground.run("run", suite, "--json", acts=acts, code=1)
    assert json.loads(out)["statuses"] == {"failed": 1, "killed": 2, "ok": 1}
    out, error = ground.run("run", suite, "--json", acts=acts, code=1)
    assert json.loads(out)["statuses"] == {"killed": 2}
    assert "--rerun failed" in error
    assert json.loads(ground.run("run", suite, "--json", code=1)[0])["statuses"] == {"ok": 1}
    assert "--rerun failed" in ground.run("plan", suite)[0]
    assert json.loads(ground.run("run", suite, "--rerun", "failed", "--json")[0])["statuses"] == {"ok": 1}
    assert json.loads(ground.run("run", suite, "--rerun", "failed", "--json")[0])["executed"] == 0
    assert json.loads(ground.run("run", suite, "--rerun", "all", "--json")[0])["statuses"] == {"ok": 3}
    assert Counter(r["status"] for r in ground.records("r")) == {"failed": 1, "killed": 4, "ok": 6}


@pytest.mark.fault(Row.DISK)
def test_a_disk_that_fills_under_a_worker_or_the_runner_stops_the_run(ground: Ground) -> None:
    _, error = ground.run("run", ground.suite("a", 3), acts={1: "full_disk"}, code=3)
    assert error == "bench: artifacts/x: cannot be written: No space left on device\n"
    assert [r["status"] for r in ground.records("a")] == ["ok"]
    process = ground.start("run", ground.suite("b", 300))
    ground.wait_for("b", 3)
    (file,) = (ground.folder / "results/b/records").glob("*.jsonl")
    full = file.stat().st_size + 100  # the next record does not fit
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (full, full))
    _, error = ground.ended(process, 3)
    assert f"{file.name}: a record cannot be written" in error
    assert error.count("\n") == 1
    assert file.read_bytes().endswith(b"\n")
    finished = len(ground.records("b"))
    out, _ = ground.run("run", "b.yaml", "--json")
    assert json.loads(out)["executed"] == 300 - finished
    assert len(scores(ground, "b")) == 300


CLOCK = """\
import datetime, itertools, time
class Back(datetime.datetime):
    '''Every look at the wall clock is an hour before the last.'''
    hours = itertools.count()
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.now(tz) - datetime.timedelta(hours=next(cls.hours))
import bench.execution.scheduler, bench.store.hold, bench.store.records
for module in (bench.execution.scheduler, bench.store.hold, bench.store.records):
    module.datetime = Back
wall = time.time
time.time = lambda: wall() - 3600 * next(Back.hours)
"""


@pytest.mark.fault(Row.CLOCK)
def test_a_clock_set_back_changes_no_duration(ground: Ground) -> None:
    ground.source, ground.env["TZ"] = CLOCK + TINY, "Europe/Berlin"
    out, _ = ground.run("run", ground.suite("c", 3, "timeout: 1\n"), "--json", acts={1: "silent"}, code=1)
    assert json.loads(out)["statuses"] == {"ok": 2, "timeout": 1}
    for record in ground.records("c"):
        assert record["finished"].endswith("+00:00")
        assert 0 <= record["costs"]["seconds"]["total"] < 10
        assert 0 <= record.get("start_seconds", 0) < 10
    ground.source = TINY
    assert json.loads(ground.run("run", "c.yaml", "--rerun", "failed", "--json")[0])["statuses"] == {"ok": 1}
    assert json.loads(ground.run("run", "c.yaml", "--json")[0])["executed"] == 0


@pytest.mark.fault(Row.TRUST)
def test_secrets_reach_neither_records_nor_logs(ground: Ground) -> None:
    ground.env["HF_TOKEN"] = "hf_abcdefghij0123456789"
    out, error = ground.run("run", ground.suite("k", 1), acts={0: "tells_secrets"}, code=1)
    (record,) = ground.records("k")
    assert record["cause"] == "https://[secret]@host/x?token=[secret] refused"
    assert record["log"] == "with [secret]\n"
    for text in (out, error, *(p.read_text() for p in (ground.folder / "results/k").rglob("*.json*"))):
        assert "abcdefghij" not in text
        assert "me:word" not in text


MOUNT = """\
import ctypes
libc = ctypes.CDLL(None)
assert libc.unshare(0x20000) == 0  # CLONE_NEWNS: what is mounted is seen by this process and its own alone
assert libc.mount(b"none", b"/", None, 0x44000, None) == 0
assert libc.mount(b"tmpfs", {folder}, b"tmpfs", 0, b"size=64k") == 0
"""


@pytest.mark.fault(Row.DISK)
def test_a_temporary_folder_that_is_full_stops_the_run(ground: Ground, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if os.getuid():
        pytest.skip("only root may mount")
    ground.source, ground.env["TMPDIR"] = MOUNT.format(folder=str(small).encode()) + TINY, str(small)
    _, error = ground.run("run", ground.suite("q", 3), acts={1: "fills_scratch"}, code=3)
    assert re.fullmatch(
        r"bench: .*/small/retrain-bench-\w+: cannot be written: No space .* set TMPDIR elsewhere\n", error
    )
    assert [r["status"] for r in ground.records("q")] == ["ok"]


@pytest.mark.fault(Row.RUNNER)
def test_only_scratch_folders_that_nobody_uses_are_taken_away(ground: Ground, tmp_path: Path) -> None:
    kept = tmp_path / "tmp"
    ground.env["TMPDIR"] = str(kept)
    for name in ("bench-2024-results", "retrain-bench-mine", "retrain-bench-old", "bench-20250101120000-x"):
        (kept / name).mkdir(parents=True)
        (kept / name / "data").touch()
    (kept / "retrain-bench-old/lock").touch()
    process = ground.start("run", ground.suite("x", 2), acts={1: "slow"})
    ground.wait_for("x", 1)
    (used,) = [p for p in kept.glob("retrain-bench-*") if p.name not in ("retrain-bench-mine", "retrain-bench-old")]
    ground.run_beside("run", ground.suite("y", 1))
    assert used.is_dir()
    ground.ended(process, 0)
    assert sorted(p.name for p in kept.iterdir()) == [
        "bench-2024-results",
        "bench-20250101120000-x",
        "retrain-bench-mine",
    ]


@pytest.mark.fault(Row.INTERRUPT)
def test_a_server_that_does_not_answer_cannot_hold_the_run(ground: Ground) -> None:
    process = ground.start("run", ground.suite("z", 2), acts={1: "silent"})
    ground.wait_for("z", 1)
    ground.until(ground.forked)
    (server,) = ground.servers()
    os.kill(server, signal.SIGSTOP)
    begun = time.monotonic()
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
    ground.ended(process, 130)
    assert time.monotonic() - begun < 15
    assert [r["status"] for r in ground.records("z")] == ["ok", "killed"]


@pytest.mark.fault(Row.WORKER)
def test_one_trials_end_kills_no_helper_of_another(ground: Ground) -> None:
    acts = {0: "needs_helper"}
    out, _ = ground.run("run", ground.suite("v", 20), "--jobs", "2", "--json", acts=acts)
    assert json.loads(out)["statuses"] == {"ok": 20}


@pytest.mark.fault(Row.DISK)
def test_output_that_cannot_be_written_decides_nothing(ground: Ground) -> None:
    suite = ground.suite("w", 2)
    ground.run("lock", suite)
    shell = ["sh", "-c", 'exec "$@" >/dev/full', "sh", sys.executable, "-c", TINY]
    done = subprocess.run([*shell, "run", suite], cwd=ground.folder, env=ground.env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (3, "bench: No space left on device; put that right, run again\n")
    assert [r["status"] for r in ground.records("w")] == ["ok", "ok"]


@pytest.mark.fault(Row.RETRY)
def test_a_failure_on_request_does_not_hide_an_earlier_result(ground: Ground) -> None:
    suite = ground.suite("ra", 2)
    ground.run("run", suite)
    out, _ = ground.run("run", suite, "--rerun", "all", "--json", acts={0: "killed"})
    assert json.loads(out)["statuses"] == {"killed": 2, "ok": 1}
    assert "ra: 2 trials: 2 done" in ground.run("status", "results/ra")[0]


@pytest.mark.fault(Row.RESUMED)
def test_a_cell_begun_with_some_threads_is_completed_with_them_whatever_the_jobs(ground: Ground) -> None:
    suite = ground.suite("t", 3)
    ground.run("run", suite, "--threads", "3", "--only", "seed=0,1")
    out, _ = ground.run("run", suite, "--jobs", "2")
    assert "threads a trial: 3, as before, not the 1 that the cores give now; `--threads 1` changes that" in out
    assert [r["environment"]["threads"] for r in ground.records("t")] == [3, 3, 3]
    suite = ground.suite("t", 4)
    out, _ = ground.run("run", suite, "--threads", "2")
    assert "threads a trial: 2, not 3 as before: that is another environment" in out
    assert "(threads 3 → 2); cells begun there that are run whole here: 1 (trials to run again: 3)" in out
    found = {r["trial"]["seed"]: r["environment"]["threads"] for r in ground.records("t")}
    assert found == dict.fromkeys(range(4), 2)
    assert "4 trials: 4 done" in ground.run("run", suite)[0]
    assert len(ground.records("t")) == 7


@pytest.mark.fault(Row.INTERRUPT)
def test_status_says_what_runs_and_a_dead_run_s_word_counts_for_nothing(ground: Ground) -> None:
    process = ground.start("run", ground.suite("now", 3), acts={1: "silent"})
    ground.wait_for("now", 1)

    def shown() -> str:
        return ground_status(ground)

    ground.until(lambda: "seed 1" in shown(), 30)
    lines = shown().splitlines()
    assert lines[0] == "now: 3 trials: 1 done, 2 missing"
    left = r"(about \d+ s more|\d+ s were expected)"  # as fast as this machine is
    trial = "t · m · full · size 16 · seed 1 · learning_rate 0.001"
    assert re.fullmatch(rf"  running on cpu for \d+ s, {left}: {trial}", lines[1])
    assert re.fullmatch(r"  about \d+ s left in all", lines[2])
    process.kill()
    process.communicate()
    assert (ground.folder / "results/now/.run.json").exists()
    assert shown().splitlines() == ["now: 3 trials: 1 done, 2 missing"]


def ground_status(ground: Ground) -> str:
    """What `bench status` prints while another command runs."""
    out, err = (process := ground.start("status", "results/now")).communicate(timeout=200)
    assert process.returncode == 0, err
    return out
