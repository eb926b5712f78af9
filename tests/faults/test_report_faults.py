"""Whatever happens while a report is written, the old one stays as it was, and so does what its user put beside it."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest
from factory import Factory
from faulty_disk import each, faulty, litter, on_a_small_disk, refusal, tree
from rows import Row

from bench import api
from bench.errors import StoreError, UsageError
from bench.store import atomic, disk

OLD = {"report.md": b"old", "tables/table-01.tex": b"old 1", "tables/table-02.tex": b"old 2"}
NEW = {"report.md": b"new" * 1000, "tables/table-01.tex": b"new 1", "cells.csv": b""}
OWN = {"report.aux": b"own", "tables/mine.tex": b"own", "notes/today.txt": b"own"}


def earlier(folder: Path) -> Path:
    """A report, to which its user has added files."""
    for name, data in {**OLD, **OWN}.items():
        (folder / "report" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "report" / name).write_bytes(data)
    return folder / "report"


def stale(name: str) -> bool:
    return name.startswith("tables/table-")


@pytest.mark.fault(Row.DISK)
@pytest.mark.parametrize("swaps", [True, False])
@faulty
def test_a_report_is_the_old_or_the_new(kind: str, times: int, swaps: bool, tmp_path: Path) -> None:
    for folder, faults, patch in each(kind, times, tmp_path):
        if not swaps:
            patch.setattr(disk, "exchange", lambda *_: False)
        path = earlier(folder)
        said = refusal(atomic.replace_folder, path, NEW, stale)
        assert said is None or (faults.hit and said.startswith(f"{path}: cannot be written: "))
        places = [path] if swaps or times == 1 else [p for p in folder.iterdir() if p.name.startswith((".r", "r"))]
        assert any(tree(place) in ({**OLD, **OWN}, {**NEW, **OWN}) for place in places)
        patch.undo()
        if path.exists():
            atomic.replace_folder(path, NEW, stale)
            assert tree(path) == {**NEW, **OWN}


def test_who_may_read_a_report_stays_as_it_was(tmp_path: Path) -> None:
    path = earlier(tmp_path)
    for folder in (path, path / "tables", path / "notes"):
        folder.chmod(0o700)
    atomic.replace_folder(path, NEW, stale)
    assert [(path / name).stat().st_mode & 0o777 for name in (".", "tables", "notes")] == [0o700] * 3


def test_no_report_is_written_among_results(tmp_path: Path) -> None:
    factory = Factory(tmp_path / "results/r")
    factory.cell("full", 64, 0.7)
    before = tree(factory.finish())
    with pytest.raises(UsageError, match="results/r: holds results, and no report is written among them"):
        api.report(tmp_path / "results/r", tmp_path / "results")
    assert tree(tmp_path / "results/r") == before


def test_a_first_report_a_link_and_what_is_no_file(tmp_path: Path) -> None:
    atomic.replace_folder(tmp_path / "new" / "report", NEW, stale)
    assert tree(tmp_path / "new" / "report") == NEW
    (tmp_path / "link").symlink_to(earlier(tmp_path))
    for place in (tmp_path / "link", tmp_path / "report"):
        (tmp_path / "report" / "tables" / "a link").unlink(missing_ok=True)
        (tmp_path / "report" / "tables" / "a link").symlink_to(tmp_path / "new")
        with pytest.raises(StoreError, match="link: is a link"):
            atomic.replace_folder(place, NEW, stale)
        assert {**OLD, **OWN}.items() <= tree(tmp_path / "report").items()
    assert tree(tmp_path / "new" / "report") == NEW
    assert {p.name for p in tmp_path.iterdir()} == {"new", "link", "report"}
    (tmp_path / "file").write_text("kept")
    with pytest.raises(StoreError, match="Not a directory"):
        atomic.replace_folder(tmp_path / "file", NEW, stale)
    assert (tmp_path / "file").read_text() == "kept"
    assert not litter(tmp_path)


KILLED = """
import os, pathlib, signal, sys
from bench.store import atomic, disk
left = int(sys.argv[2])
def dying(real):
    def operation(*arguments):
        global left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments)
    return operation
for name in disk.OPERATIONS:
    setattr(disk, name, dying(getattr(disk, name)))
new = eval(sys.argv[3])
atomic.replace_folder(pathlib.Path(sys.argv[1]), new, lambda name: name.startswith("tables/table-"))
"""


@pytest.mark.fault(Row.HALF_DONE, Row.RUNNER)
def test_killed_while_it_writes_a_report_the_old_one_stays(tmp_path: Path) -> None:
    states = []
    for first in itertools.count(1):
        path = earlier(tmp_path / str(first))
        done = subprocess.run([sys.executable, "-c", KILLED, str(path), str(first), repr(NEW)])
        states.append(tree(path))
        assert states[-1] in ({**OLD, **OWN}, {**NEW, **OWN})
        if done.returncode == 0:
            break
    assert states[0] == {**OLD, **OWN}
    assert states[-1] == {**NEW, **OWN}
    assert len(states) > 20


REPORTING = """
import sys
sys.path.insert(0, {tests!r})
from factory import Factory
from bench.cli import main
factory = Factory(disk / "r", examples=20)
factory.cell("lora", 64, 0.8)
factory.finish()
(disk / "r" / "report").mkdir()
(disk / "r" / "report" / "report.md").write_text("old")
try:
    main(["report", str(disk / "r")])
except SystemExit as end:
    print(end.code)
print([p.name for p in (disk / "r").iterdir() if p.name.startswith(".")])
print(*((p.name, p.read_text()) for p in (disk / "r" / "report").iterdir()))
"""


@pytest.mark.fault(Row.DISK, Row.HALF_DONE)
def test_no_room_for_a_report_is_exit_3_and_the_old_one_stays(tmp_path: Path) -> None:
    source = "import os, sys\nos.dup2(1, 2)\n" + REPORTING.format(tests=str(Path(__file__).parents[1]))
    said, *rest = on_a_small_disk(tmp_path, source).splitlines()
    assert re.match(r"bench: .*/r/report: cannot be written: No space left on device; needs room for [\d,]+ byt", said)
    assert rest == ["3", "[]", "('report.md', 'old')"]
