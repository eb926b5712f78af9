"""The disk fails at any operation, once or for good, and nothing that was kept is lost."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from faulty_disk import FOREVER, each, faulty, litter, on_a_small_disk, refusal, tree
from rows import Row

import bench
from bench.errors import StoreError
from bench.store import atomic, cache, disk, paths, records
from bench.trial import evaluation


def record(trial: str) -> dict[str, Any]:
    return {"trial": {"id": trial}, "attempt": "a", "run": "r", "status": "failed", "log": "x" * 200}


def ids(folder: Path) -> list[str]:
    return [r["trial"]["id"] for r in records.read(folder).records]


@pytest.mark.fault(Row.DISK)
@faulty
def test_records_survive_any_fault(kind: str, times: int, tmp_path: Path) -> None:
    for folder, faults, patch in each(kind, times, tmp_path):
        writer = records.Writer(folder / "results", "run")
        said = {trial: refusal(writer.append, record(trial)) for trial in "abc"}
        confirmed = [trial for trial in said if said[trial] is None]
        for text in filter(None, said.values()):
            assert text.startswith(f"{writer.path}: a record cannot be written: ")
            assert kind == "EIO" or re.search(r"needs room for \d+ bytes more; make room", text)
        assert any(said.values()) == faults.hit
        found, damaged = ids(folder / "results"), records.read(folder / "results").damaged
        assert found[: len(confirmed)] == confirmed
        assert len(found) + len(damaged) - len(confirmed) <= (times == FOREVER)  # what could not be cut off
        patch.undo()
        writer.append(record("again"))
        writer.close()
        assert records.read(folder / "results").damaged == []
        assert ids(folder / "results") == [*confirmed, "again"]
        assert len(list((folder / "results").rglob("*"))) == 2


@pytest.mark.fault(Row.DISK)
def test_short_writes_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "write", lambda descriptor, data: os.write(descriptor, data[:7]))
    with records.Writer(tmp_path, "run") as writer:
        writer.append(record("a"))
    atomic.write_json(tmp_path / "x", "long enough for two writes")
    assert ids(tmp_path) == ["a"]
    assert (tmp_path / "x").read_text() == '"long enough for two writes"\n'


@pytest.mark.fault(Row.DISK)
def test_nothing_is_appended_to_half_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(descriptor: int, data: bytes) -> int:
        os.write(descriptor, data[:20])
        raise KeyboardInterrupt

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "broken")

    writer = records.Writer(tmp_path, "run")
    writer.append(record("a"))
    with monkeypatch.context() as patch:
        patch.setattr(disk, "write", interrupted)
        patch.setattr(disk, "truncate", broken)
        with pytest.raises(KeyboardInterrupt):
            writer.append(record("b"))
        patch.setattr(disk, "write", os.write)
        size = writer.path.stat().st_size
        with pytest.raises(StoreError, match="a record cannot be written: broken"):
            writer.append(record("c"))
        assert writer.path.stat().st_size == size
    writer.append(record("d"))
    assert ids(tmp_path) == ["a", "d"]
    assert not records.read(tmp_path).damaged


@pytest.mark.fault(Row.DISK)
@faulty
def test_a_document_is_the_old_or_the_new(kind: str, times: int, tmp_path: Path) -> None:
    for folder, faults, patch in each(kind, times, tmp_path):
        path = folder / "lock.json"
        path.write_text('"old"\n')
        said = refusal(atomic.write_json, path, "new")
        assert said is None or said.startswith(f"{path}: cannot be written: ")
        assert (said is None) == (not faults.hit)
        assert json.loads(path.read_bytes()) in ({"old", "new"} if said else {"new"})
        assert times > 1 or not litter(folder)
        patch.undo()
        atomic.write_json(path, "newer")
        assert tree(folder) == {"lock.json": b'"newer"\n'}


def artifact() -> dict[str, Any]:
    outcome = np.ones(3, dtype=np.float32)
    columns = {"example": np.arange(3), "outcome": outcome, "log_probabilities": [outcome] * 3}
    return {"curve": {"losses": [1.0]}, "predictions": columns}


@pytest.mark.fault(Row.DISK)
@faulty
def test_artifacts_are_whole_or_absent(kind: str, times: int, tmp_path: Path) -> None:
    for folder, faults, patch in each(kind, times, tmp_path):
        place = paths.artifacts(folder, "t", "a")
        said = refusal(evaluation.save, place, artifact())
        assert (said is None) == (not faults.hit)
        assert said is None or str(place) in said
        assert said is None or kind == "EIO" or "bytes more; make room" in said
        if place.exists():
            assert json.loads((place / "curve.json").read_bytes()) == {"losses": [1.0]}
            assert pq.read_table(place / "predictions.parquet").num_rows == 3
        assert times > 1 or not litter(folder)
        patch.undo()
        evaluation.save(paths.artifacts(folder, "t", "b"), artifact())
        assert {p.name for p in paths.artifacts(folder, "t", "b").iterdir()} == {"curve.json", "predictions.parquet"}


@pytest.mark.fault(Row.DISK)
def test_the_disk_has_all_before_anything_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for name in disk.OPERATIONS:
        real = getattr(disk, name)
        monkeypatch.setattr(disk, name, lambda *a, name=name, real=real: calls.append(name) or real(*a))

    def order(action: Callable[..., object], *arguments: object) -> str:
        calls.clear()
        action(*arguments)
        return " ".join(calls)

    writer = records.Writer(tmp_path, "run")
    assert order(writer.append, record("a")) == "mkdir sync create sync write sync"
    assert order(writer.append, record("b")) == "write sync"
    assert order(atomic.write_text, tmp_path / "x", "1") == "create write sync rename sync"
    filled = "mkdir create write sync mkdir create write sync"
    files = {"a": b"1", "b/c": b"2"}
    folder, report = tmp_path / "folder", tmp_path / "report"
    assert order(atomic.write_folder, folder, files) == f"{filled} sync sync sync sync rename sync"
    assert order(atomic.replace_folder, report, files, lambda name: False) == f"{filled} sync sync rename sync"
    assert order(atomic.replace_folder, report, files, lambda name: False).startswith(
        f"{filled} sync sync exchange sync "
    )


@pytest.mark.fault(Row.DISK)
def test_a_new_name_that_the_disk_may_not_have_is_synced_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = records.Writer(tmp_path, "run")
    for synced in ([tmp_path], [tmp_path, tmp_path / "records"]):
        paths: list[Path] = []

        def broken(path: Path, paths: list[Path] = paths, last: Path = synced[-1]) -> None:
            paths.append(path)
            if path == last:
                raise OSError(errno.EIO, "broken")

        monkeypatch.setattr(disk, "sync_path", broken)
        assert "broken" in str(refusal(writer.append, record("a")))
        assert paths == synced
    paths.clear()
    monkeypatch.setattr(disk, "sync_path", paths.append)
    writer.append(record("a"))
    assert paths == [tmp_path / "records"]


@pytest.mark.fault(Row.DISK)
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_cache_that_cannot_be_filled_is_absent(code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(folder: Path) -> None:
        (folder / "x").write_text("half")
        raise OSError(code, os.strerror(code))

    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    full = pytest.raises(StoreError, match="No space left on device; make room, or name a folder elsewhere in BENCH_")
    with full if code == errno.ENOSPC else pytest.raises(OSError, match="Input/output error"):
        cache.cached("kind", {}, broken)
    assert not [p for p in (tmp_path / "kind").iterdir() if p.is_dir()]
    whole = cache.cached("kind", {}, lambda folder: (folder / "x").write_text("whole") and None)
    (whole.with_name(f".partial-{whole.name}")).mkdir()  # as a killed process leaves it
    whole.rename(whole.with_name("other"))
    assert cache.cached("kind", {}, lambda folder: None) == whole
    assert {p.name for p in whole.parent.iterdir() if p.is_dir()} == {whole.name, "other"}


FILLING = """
import os
from bench.errors import StoreError
from bench.store import atomic, paths, records
atomic.write_json(paths.lock(disk), "old")
writer, count = records.Writer(disk, "run"), 0
try:
    while True:
        writer.append({"trial": {"id": str(count)}, "status": "failed", "log": "x" * 700})
        count += 1
except StoreError as error:
    print(str(error).replace(str(writer.path), "FILE"))
try:
    atomic.write_json(paths.lock(disk), "n" * 65_000)
except StoreError as error:
    print(str(error).replace(str(disk), "DISK"))
try:
    atomic.write_folder(paths.artifacts(disk, "t", "a"), {"x": bytes(65_000)})
except StoreError as error:
    print(str(error).replace(str(disk), "DISK"))
read = records.read(disk)
assert not read.damaged
assert [r["trial"]["id"] for r in read.records] == [str(n) for n in range(count)] and count > 40
assert paths.lock(disk).read_text() == '"old"\\n'
left = sorted(p.name for p in disk.rglob("*") if p != writer.path)
paths.lock(disk).unlink()
writer.append({"trial": {"id": "again"}, "status": "failed", "log": "x" * 700})
assert len(records.read(disk).records) == count + 1
print(left)
"""


@pytest.mark.fault(Row.DISK)
def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    record, lock, folder, left = on_a_small_disk(tmp_path, FILLING).splitlines()
    full = r"cannot be written: No space left on device; needs room for"
    assert re.fullmatch(rf"FILE: a record {full} 8\d\d bytes more; make room and run again", record)
    assert re.fullmatch(rf"DISK/lock.json: {full} 65,003 bytes more; make room and run again", lock)
    assert re.fullmatch(rf"DISK/artifacts/t/a: {full} 65,000 bytes more; make room and run again", folder)
    assert left == "['artifacts', 'lock.json', 'records', 't']"


WRITES = re.compile(
    r"\bos\.(open|write|p?writev?|fsync|replace|rename|mkdir|makedirs|unlink|remove|rmdir|f?truncate|link|symlink)\("
    r"|(?<!atomic)\.(write_text|write_bytes|mkdir|unlink|rename|touch)\(|\bopen\(|\bshutil\.|\btempfile\."
)


def test_the_store_and_the_reports_write_through_one_module() -> None:
    root = Path(bench.__file__).parent
    files = [*(root / "store").glob("*.py"), *(root / "report").rglob("*.py")]
    files += [root / "trial/evaluation.py", root / "planning/lock.py", root / "api.py"]
    ours = [f for f in files if f.name not in ("disk.py", "cache.py", "safe_reading.py")]
    found = [f"{f.name}: {line}" for f in ours for line in f.read_text().splitlines() if WRITES.search(line)]
    assert [line for line in found if "disk." not in line] == []
