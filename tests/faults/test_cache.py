"""What is cached and damaged is computed anew, and never used."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from attempts import attempt, outcome
from rows import Row
from tiny_models import tiny_bert
from tiny_tasks import text_task, trial

from bench.errors import StoreError
from bench.hub import checksums
from bench.store import cache, disk
from bench.trial import perform, run

KEY = {"of": "this"}


def fill(folder: Path) -> None:
    np.save(folder / "rows.npy", np.arange(1000))
    (folder / "deeper").mkdir()
    (folder / "deeper" / "facts.json").write_text('{"rows": 1000}')


def keeping_time(change: Callable[[Path], None]) -> Callable[[Path], None]:
    """The change, with the file's times as they were."""

    def changed(path: Path) -> None:
        before = path.stat()
        change(path)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    return changed


@keeping_time
def flipped(path: Path) -> None:
    """One bit, in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    with path.open("r+b") as file:
        file.write(data)


@keeping_time
def reversed_rows(path: Path) -> None:
    rows = np.load(path)
    np.save(path, np.ascontiguousarray(rows[::-1]))


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def empty(path: Path) -> None:
    os.truncate(path, 0)


DAMAGE = [flipped, reversed_rows, truncated, empty, Path.unlink]


@pytest.mark.fault(Row.CACHE)
@pytest.mark.parametrize("damage", DAMAGE, ids=lambda d: d.__name__)
def test_a_damaged_entry_is_computed_anew(
    damage: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    calls: list[Path] = []
    folder = cache.cached("features", KEY, fill)
    assert cache.cached("features", KEY, calls.append) == folder
    damage(folder / "rows.npy")
    monkeypatch.setattr(cache, "_sound", {})  # another process
    assert cache.cached("features", KEY, lambda to: calls.append(to) or fill(to)) == folder
    assert len(calls) == 1
    assert np.array_equal(np.load(folder / "rows.npy"), np.arange(1000))
    assert capfd.readouterr().err == f"bench: {folder}: was damaged, and is computed anew\n"
    monkeypatch.setattr(cache, "_sound", {})
    cache.cached("features", KEY, calls.append)
    assert len(calls) == 1


@pytest.mark.fault(Row.CACHE)
@pytest.mark.parametrize("name", [cache.SUMS, "deeper/facts.json"])
def test_so_is_one_without_its_checksums_or_with_a_part_missing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = cache.cached("answers", KEY, fill)
    (folder / name).write_text("[" * 100_000)
    assert cache.cached("answers", KEY, fill) == folder
    assert (folder / "deeper" / "facts.json").read_text() == '{"rows": 1000}'
    shutil.rmtree(folder / "deeper")
    cache.cached("answers", KEY, fill)
    assert (folder / "deeper").is_dir()


def test_an_entry_that_is_whole_is_hashed_once_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[Path] = []
    real = cache._checksum
    monkeypatch.setattr(cache, "_checksum", lambda path: hashed.append(path) or real(path))
    cache.cached("features", KEY, fill)
    assert len(hashed) == 2
    cache.cached("features", KEY, fill)
    assert len(hashed) == 2
    cache._sound.clear()
    for _ in range(3):
        (cache.cached("features", KEY, fill) / "cache-of-a-library.arrow").touch()
    assert len(hashed) == 4


@pytest.mark.fault(Row.CACHE)
def test_keys_hold_the_versions_of_what_made_the_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, packages in cache.MADE_BY.items():
        folders = {cache.cached(kind, KEY, fill)}
        for name in ("retrain-bench", *packages):
            with monkeypatch.context() as patch:
                patch.setattr(cache, "_version", lambda asked, name=name: "newer" if asked == name else "1")
                folders.add(cache.cached(kind, KEY, fill))
        assert len(folders) == len(set(packages)) + 2
    kept = cache.cached("answers", KEY, fill)  # each was paid for
    monkeypatch.setattr(cache, "_version", lambda asked: "newer")
    assert cache.cached("answers", KEY, fill) == kept


def test_the_disk_has_all_of_an_entry_before_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    real = disk.rename
    monkeypatch.setattr(disk, "sync_path", lambda path: done.append(f"sync {path.name}"))
    monkeypatch.setattr(disk, "rename", lambda *a: done.append("rename") or real(*a))
    folder = cache.cached("features", KEY, fill)
    assert done[-3:] == [f"sync .partial-{folder.name}", "rename", "sync features"]
    assert {f"sync {name}" for name in ("rows.npy", "facts.json", "deeper", cache.SUMS)} == set(done[:-3])


@pytest.mark.fault(Row.CACHE_GONE)
def test_a_cache_emptied_while_it_is_filled_is_filled_again() -> None:
    calls = []

    def emptied(folder: Path, times: int) -> None:
        calls.append(folder)
        if len(calls) <= times:
            shutil.rmtree(cache.root())
        fill(folder)

    folder = cache.cached("features", KEY, lambda to: emptied(to, 2))
    assert (len(calls), (folder / "rows.npy").is_file()) == (3, True)
    calls.clear()
    with pytest.raises(StoreError, match="was deleted again and again while it was written"):
        cache.cached("features", {"of": "that"}, lambda to: emptied(to, 9))
    calls.clear()
    with pytest.raises(FileNotFoundError, match=r"absent\.csv"):  # what `fill` lacks is no fault of the cache
        cache.cached("features", {"of": "that"}, lambda to: Path("absent.csv").read_bytes() and None)


@pytest.mark.fault(Row.CACHE_GONE)
def test_a_trial_that_misses_the_cache_is_killed_and_not_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def body(*_: object) -> None:
        folder = cache.cached("features", KEY, fill)
        shutil.rmtree(cache.root())
        np.load(folder / "rows.npy")

    monkeypatch.setattr(run, "run", body)
    monkeypatch.setattr(cache, "_sound", {})
    found = perform._trial({"device": "cpu", "threads": 1, "submitted": 0.0}, lambda *_: None, True)
    assert found["status"] == "killed"
    assert found["cause"].startswith("the cache was deleted meanwhile: FileNotFoundError: ")
    assert "stop" not in found


def entries() -> Iterator[Path]:
    """Every file of every entry."""
    for sums in sorted(cache.root().rglob(cache.SUMS)):
        yield from (p for p in sorted(sums.parent.rglob("*")) if p.is_file())


@pytest.mark.fault(Row.CACHE)
@pytest.mark.parametrize("regime", ["linear-probe", "full"])
def test_no_score_differs_after_any_file_in_the_cache_was_damaged(
    regime: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_bert("BertModel", tmp_path / "bert")
    one = trial(tmp_path / "bert", text_task(tmp_path), regime)
    monkeypatch.setattr(checksums, "SETTLED", 0.0)  # else digests of files just written come to the cache seconds later

    def scored(name: str) -> dict[str, object]:
        monkeypatch.setattr(cache, "_sound", {})
        return outcome(attempt(one, tmp_path / name), tmp_path / name)

    undisturbed, files = scored("undisturbed"), len(list(entries()))
    assert {"data", "splits", "encoded", "tf-idf"} <= {p.name for p in cache.root().iterdir()}
    for damage in (flipped, truncated, Path.unlink):
        for path in list(entries()):
            if path.stat().st_size:
                damage(path)
        assert scored(damage.__name__) == undisturbed
        assert len(list(entries())) == files
    shutil.rmtree(cache.root())
    assert scored("emptied") == undisturbed


def test_a_process_of_its_own_compares_the_checksums() -> None:
    folder = cache.cached("features", KEY, fill)
    flipped(folder / "rows.npy")
    source = (
        "import numpy; from bench.store import cache\n"
        "def fill(to): numpy.save(to / 'rows.npy', numpy.arange(7))\n"
        f"print(len(numpy.load(cache.cached('features', {KEY}, fill) / 'rows.npy')))"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout == "7\n"
