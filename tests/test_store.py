"""What is promised of the disk: every whole line survives and reading never fails."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rows import Row
from typing_extensions import is_typeddict

from bench.errors import StoreError
from bench.store import atomic, paths, records
from bench.store.record import Record


def record(trial: str = "t0", status: str = "ok", **more: Any) -> dict[str, Any]:
    result = {"scores": {"metric": "accuracy"}, "costs": {}} if status == "ok" else {}
    return {"trial": {"id": trial}, "attempt": "a", "run": "r", "status": status, **result, **more}


def only_file(folder: Path) -> Path:
    (path,) = paths.records(folder).iterdir()
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    with records.Writer(tmp_path, "run") as writer:
        writer.append(record("a", log="zwei\nZeilen \u2028 \x85 ü", x=[0.1, 1e-300, None]))
        writer.append(record("b"))
    read = records.read(tmp_path)
    assert [r["trial"]["id"] for r in read.records] == ["a", "b"]
    assert read.records[0]["log"] == "zwei\nZeilen \u2028 \x85 ü"
    assert read.records[0]["x"] == [0.1, 1e-300, None]
    assert read.records[0]["schema"] == 2
    assert not read.damaged
    assert len(only_file(tmp_path).read_bytes().splitlines()) >= 2


def test_a_run_with_nothing_to_do_leaves_no_file(tmp_path: Path) -> None:
    records.Writer(tmp_path, "run").close()
    assert list(tmp_path.iterdir()) == []
    assert records.read(tmp_path) == records.Read([], [], [])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_what_json_cannot_hold_is_refused_and_leaves_nothing(tmp_path: Path, value: object) -> None:
    writer = records.Writer(tmp_path, "run")
    with pytest.raises(StoreError, match="cannot be written as JSON"):
        writer.append(record(log=value))
    writer.append(record())
    assert len(records.read(tmp_path).records) == 1


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda line: line.replace(b'"ok"', b'"no"'), "does not match its checksum"),
        (lambda line: line[: len(line) // 2], "not whole JSON"),
        (lambda line: b"\xff\x00", "not whole JSON"),
        (lambda line: b"[" * 100_000, "not whole JSON"),
        (lambda line: b"[1]", "not a record"),
        (lambda line: line.replace(b'"r"', b"NaN"), "not JSON compliant"),
    ],
)
def test_a_damaged_line_is_skipped_and_named(tmp_path: Path, damage: Any, problem: str) -> None:
    with records.Writer(tmp_path, "run") as writer:
        for trial in "abc":
            writer.append(record(trial))
    lines = only_file(tmp_path).read_bytes().splitlines()
    lines[1] = damage(lines[1])
    only_file(tmp_path).write_bytes(b"\n".join(lines))
    read = records.read(tmp_path)
    assert [r["trial"]["id"] for r in read.records] == ["a", "c"]
    (text,) = read.damaged
    assert f"{only_file(tmp_path)}:2: " in text
    assert problem in text


@pytest.mark.fault(Row.DAMAGED)
@pytest.mark.parametrize(
    ("torn", "ran_again", "end", "known"),
    [
        (True, True, b"", True),
        (False, True, b"\n", True),
        (False, False, b"", True),
        (False, True, b"", False),
    ],
    ids=["harmless", "with an end", "its trial has not run again", "whose trial is unknown"],
)
def test_a_line_cut_short_is_harmless_where_its_trial_ran_again(
    tmp_path: Path, torn: bool, ran_again: bool, end: bytes, known: bool
) -> None:
    for run, trials in (("1", "ab"), ("2", "b" if ran_again else "a")):
        with records.Writer(tmp_path, run) as writer:
            for trial in trials:
                writer.append({**record(trial), "attempt": f"{trial}{run}"})
                if known:
                    (tmp_path / "artifacts" / trial / f"{trial}{run}").mkdir(parents=True)
    first, _ = records.files(tmp_path)
    first.write_bytes(first.read_bytes()[:-40] + end)
    read = records.read(tmp_path)
    assert [len(read.torn), len(read.damaged)] == [torn, not torn]
    assert [*read.torn, *read.damaged] == [f"{first}:2: not whole JSON"]
    assert [r["trial"]["id"] for r in read.records] == ["a", "b" if ran_again else "a"]


@pytest.mark.fault(Row.DAMAGED)
@pytest.mark.parametrize(
    ("part", "problem"),
    [
        ({"finished": 5}, "finished: "),
        ({"trial": {"id": 7}}, "trial.id: "),
        ({"scores": {"metric": "accuracy", "test": {"accuracy": "high"}}}, "scores.test.accuracy: "),
        ({"costs": {"seconds": [1]}}, "costs.seconds: "),
        ({"scores": {"metric": "a", "majority": {"a": 0.5}}}, "scores.majority: not a key of a record"),
        ({"scores": None}, "scores: input should be"),
    ],
)
def test_a_whole_line_that_is_no_record_is_damaged(part: dict[str, Any], problem: str, tmp_path: Path) -> None:
    with records.Writer(tmp_path, "run") as writer:
        writer.append({**record(), **part})
        writer.append(record("b"))
    read = records.read(tmp_path)
    assert len(read.records) == 1
    assert f"{only_file(tmp_path)}:1: {problem}" in read.damaged[0]


def test_an_older_schema_is_not_read_as_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "SCHEMA", 0)
    with records.Writer(tmp_path, "run") as writer:
        writer.append(record())
    monkeypatch.undo()
    assert "has schema 0, this version reads 1 to 2" in records.read(tmp_path).damaged[0]


def test_baselines_of_schema_1_are_read_under_their_own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = {"metric": "a", "test": {"a": 0.5}, "majority": {"a": 0.25}, "tf-idf": None, "templates": None}
    monkeypatch.setattr(records, "SCHEMA", 1)
    with records.Writer(tmp_path, "run") as writer:
        writer.append({**record(), "scores": old, "facts": None})
        writer.append({**record("b"), "scores": {**old, "majority": 0.25}})
    monkeypatch.undo()
    read = records.read(tmp_path)
    (one,) = read.records
    assert one["scores"] == {
        "metric": "a", "test": {"a": 0.5}, "baselines": {"majority": {"a": 0.25}, "tf-idf": None}
    }  # fmt: skip
    assert "facts" not in one
    assert "scores.baselines.majority: " in read.damaged[0]


def test_a_folder_of_records_that_cannot_be_read_is_not_empty(tmp_path: Path) -> None:
    paths.records(tmp_path).write_text("")
    with pytest.raises(StoreError, match="records: cannot be read: Not a directory"):
        records.read(tmp_path)


@given(st.binary(max_size=200))
def test_reading_never_fails(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("x")
    paths.records(folder).mkdir()
    (paths.records(folder) / "x.jsonl").write_bytes(data)
    assert records.read(folder).records == []


def test_latest_prefers_ok_then_the_newest() -> None:
    attempts = [
        record("a", "ok", finished="2026-01-02", n=1),
        record("a", "ok", finished="2026-01-03", n=2),
        record("a", "failed", finished="2026-01-04", n=3),
        record("b", "failed", finished="2026-01-02", n=4),
        record("b", "killed", finished="2026-01-01", n=5),
    ]
    assert {trial: r["n"] for trial, r in records.latest(attempts).items()} == {"a": 2, "b": 4}


def test_disagreements_are_between_ok_attempts_in_one_environment() -> None:
    def attempt(trial: str, environment: str, score: float, status: str = "ok") -> dict[str, Any]:
        return record(trial, status, environment={"id": environment}, scores={"test": {"accuracy": score}})

    attempts = [
        attempt("a", "e", 0.5),
        attempt("a", "f", 0.6),
        attempt("a", "e", 0.7, "failed"),
        attempt("b", "e", 0.5),
        attempt("b", "e", 0.5),
        attempt("c", "e", 0.5),
        attempt("c", "e", 0.6),
    ]
    assert list(records.disagreements(attempts)) == [("c", "e")]
    less = [{**one, "scores": {"metric": "a", "test": {"a": 1.0}, **more}, "environment": {"id": "f"}}
            for one, more in ((attempts[0], {}), (attempts[0], {"baselines": {"tf-idf": {"a": 0.5}}}))]  # fmt: skip
    assert not records.disagreements([{**one, "status": "ok"} for one in less])


def test_a_file_of_the_same_name_is_never_appended_to(tmp_path: Path) -> None:
    first = records.Writer(tmp_path, "run")
    first.append(record())
    second = records.Writer(tmp_path, "run")
    second.path = first.path
    with pytest.raises(StoreError, match="File exists"):
        second.append(record())
    assert len(records.read(tmp_path).records) == 1


@pytest.mark.parametrize("name", ["../x", "", ".", "a/b", "a\0"])
def test_names_do_not_lead_out_of_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="file name"):
        paths.artifacts(tmp_path, name, "a")


def test_atomic_files(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x.json"
    atomic.write_json(path, {"b": 1, "a": "ü"})
    assert json.loads(path.read_text()) == {"a": "ü", "b": 1}
    with pytest.raises(ValueError, match="JSON compliant"):
        atomic.write_json(path, float("nan"))
    with pytest.raises(StoreError, match="cannot be written"):
        atomic.write_text(path / "below-a-file", "x")
    assert [p.name for p in path.parent.iterdir()] == ["x.json"]


def test_atomic_folder(tmp_path: Path) -> None:
    with atomic.folder(tmp_path / "t" / "a") as folder:
        (folder / "x").write_text("1")
        assert not (tmp_path / "t" / "a").exists()
    assert (tmp_path / "t" / "a" / "x").read_text() == "1"
    with pytest.raises(ZeroDivisionError), atomic.folder(tmp_path / "t" / "b") as folder:
        (folder / "x").write_text(str(1 / 0))
    with pytest.raises(StoreError, match="not empty"), atomic.folder(tmp_path / "t" / "a"):
        pass
    assert [p.name for p in (tmp_path / "t").iterdir()] == ["a"]


def test_the_store_imports_nothing_heavy() -> None:
    code = "import sys, bench.store.records, bench.store.atomic; print(*sys.modules)"
    modules = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not modules & {"torch", "pandas", "numpy", "pyarrow", "transformers"}


@contextlib.contextmanager
def small_files() -> Iterator[None]:
    """No file of this process may grow beyond the limit: the kernel's own partial write, then an error.

    Not a fixture: pytest reports before it tears down, and its own output may be a longer file.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.fault(Row.DISK)
def test_a_full_disk_leaves_whole_lines_and_the_run_can_go_on(tmp_path: Path) -> None:
    writer = records.Writer(tmp_path, "run")
    written = 5
    with small_files():
        for number in range(written):
            writer.append(record(f"t{number}", log="x" * 700))
        with pytest.raises(StoreError, match=r"\.jsonl: a record cannot be written: File too large"):
            writer.append(record("too-large", log="x" * 2000))
        assert only_file(tmp_path).read_bytes().endswith(b"}\n")
        writer.append(record("small"))
    read = records.read(tmp_path)
    assert not read.damaged
    assert [r["trial"]["id"] for r in read.records] == [*(f"t{i}" for i in range(written)), "small"]


@pytest.mark.fault(Row.DISK)
def test_a_full_disk_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    atomic.write_text(tmp_path / "x", "old")
    with small_files(), pytest.raises(StoreError, match="File too large"):
        atomic.write_text(tmp_path / "x", "n" * 10_000)
    with small_files(), pytest.raises(StoreError, match="File too large"), atomic.folder(tmp_path / "f") as folder:
        (folder / "x").write_text("n" * 10_000)
    assert [p.name for p in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x").read_text() == "old"


APPENDING = """
import sys, pathlib
from bench.store import records
writer = records.Writer(pathlib.Path(sys.argv[1]), "run")
for number in range(10**9):
    writer.append({"trial": {"id": str(number)}, "status": "killed", "log": "x" * 50_000})
    print(number, flush=True)
"""


@pytest.mark.fault(Row.RUNNER)
@pytest.mark.parametrize("repeat", range(3))
def test_a_killed_writer_loses_nothing_it_had_confirmed(tmp_path: Path, repeat: int) -> None:
    child = subprocess.Popen([sys.executable, "-c", APPENDING, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    child.stdout.readline()
    time.sleep(0.05 + 0.03 * repeat)
    os.kill(child.pid, signal.SIGKILL)
    confirmed = 1 + len(child.stdout.read().splitlines())
    child.stdout.close()
    child.wait()
    read = records.read(tmp_path)
    assert [r["trial"]["id"] for r in read.records] == [str(n) for n in range(len(read.records))]
    assert len(read.records) >= confirmed
    assert len(read.damaged) <= 1


def keys(of: Any, prefix: str = "") -> Iterator[str]:
    """Every key of a record's types, `costs.seconds`; the trial's are told in bench/suite/trial.py."""
    for name, hint in get_type_hints(of).items():
        yield f"{prefix}{name}"
        inner = [hint, *get_args(hint), *(i for one in get_args(hint) for i in get_args(one))]
        for one in dict.fromkeys(one for one in inner if is_typeddict(one)):
            if name != "trial":
                yield from keys(one, f"{prefix}{name}.")


def test_the_keys_of_a_record_are_those_of_its_documentation() -> None:
    text = (Path(__file__).parents[1] / "docs/records.md").read_text()
    section = text.split("## A record\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    words = {word for row in rows for word in re.findall(r"[a-z0-9_]+", " ".join(re.findall(r"`([^`]+)`", row)))}
    written = [key for key in keys(Record) if key != "rescored"]  # reading alone adds that
    assert [key for key in written if key.rpartition(".")[2] not in words] == []
    told = {key for row in rows for key in re.findall(r"`([a-z_.]+)`", row.split("|")[1])}
    assert told - {"checksum"} - set(written) == set()
