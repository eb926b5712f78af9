"""A results folder whose links lead elsewhere, and one that is taken away while a sweep writes to it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from attempts import attempt
from click.testing import CliRunner
from factory import Factory
from ground import Ground
from rows import Row
from tiny_models import tiny_bert
from tiny_tasks import order, text_task, trial

from bench.cli import main
from bench.errors import StoreError
from bench.store import paths, records, results_folder
from bench.trial import run as worker


def bench(*arguments: str, code: int = 0) -> str:
    """All that a command prints."""
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == code, (done.stdout, done.stderr, done.exception)
    return done.output


def everything(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def precious(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the user's, beside the results of suite `r`."""
    monkeypatch.chdir(tmp_path)
    factory = Factory(Path("results/r"))
    factory.cell("lora", 64, 0.8)
    factory.finish()
    Path("r.yaml").write_text(
        "name: r\nmodels: {minilm: {folder: model}}\nregimes: {lora: }\nsizes: [64]\n"
        "tasks: {sst2: {kind: text-classification, data: {files: data.csv}, splits: {test: 0.2}}}\n"
    )
    for name in ("thesis.txt", "report.md", "1/state.pt", "tables/table-01.tex", "a.jsonl", "curve.json"):
        (tmp_path / "precious" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "precious" / name).write_text(f"my {name}")
    return tmp_path / "precious"


PLACES = {
    "checkpoints": "", "checkpoints/x": "", "report": "", "report/tables": "tables", "report/mine": "thesis.txt",
    ".run.lock": "thesis.txt", ".run.json": "thesis.txt", "lock.json": "thesis.txt", "plan.json": "thesis.txt",
    "records": "", "records/more.jsonl": "a.jsonl", "artifacts": "", "artifacts/t": "", "artifacts/t/a": "",
}  # fmt: skip


@pytest.mark.fault(Row.LINKS)
@pytest.mark.parametrize("place", PLACES)
def test_no_link_in_a_results_folder_is_followed(place: str, precious: Path) -> None:
    link, before = Path("results/r", place), everything(precious)
    if link.is_dir():
        shutil.rmtree(link)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(precious / PLACES[place])
    for command in (("run", "r.yaml"), ("lock", "r.yaml"), ("report", "results"), ("check", "results")):
        if place != "plan.json" or command[0] != "report":
            assert f"results/r/{place}: is a link" in bench(*command, code=3)
    assert everything(precious) == before
    assert link.is_symlink()


@pytest.mark.fault(Row.LINKS)
def test_a_suites_folder_below_the_one_named_is_no_link_either(precious: Path) -> None:
    Path("results/r").rename("real")
    Path("results/r").symlink_to(Path("real").absolute())
    for command in (("run", "r.yaml"), ("plan", "r.yaml"), ("report", "results"), ("status", "results")):
        assert "results/r: is a link" in bench(*command, code=3)
    assert not Path("real/report").exists()
    bench("report", "results/r")  # the user named it
    assert Path("real/report/report.md").is_file()
    Path("out").symlink_to(precious)
    (precious / "real").symlink_to(precious)
    assert "out/real: is a link" in bench("report", "real", "--out", "out", code=3)


@pytest.mark.fault(Row.LINKS)
def test_the_folder_that_the_user_named_may_be_a_link(precious: Path) -> None:
    Path("results").rename("elsewhere")
    Path("results").symlink_to("elsewhere")
    Path("out").symlink_to("papers")
    Path("papers").mkdir()
    bench("check", "results")
    bench("report", "results", "--out", "out")
    assert Path("papers/r/report.md").is_file()


@pytest.mark.fault(Row.LINKS)
def test_a_trial_removes_nothing_behind_a_link(precious: Path, tmp_path: Path) -> None:
    tiny_bert("BertModel", tmp_path / "bert")
    one = trial(tmp_path / "bert", text_task(tmp_path), "full")
    before, results = everything(precious), tmp_path / "results/r"
    for place in (results / "checkpoints", results / "checkpoints" / one.id, results / "artifacts" / one.id):
        place.parent.mkdir(exist_ok=True)
        place.symlink_to(precious)
        found = attempt(one, results, every=0.0)
        assert f"{place}: is a link" in found["cause"]
        place.unlink()
    assert everything(precious) == before


def replaced(folder: Path) -> None:
    folder.rename(folder.with_name("aside"))
    shutil.copytree(folder.with_name("aside"), folder)


def records_removed(folder: Path) -> None:
    shutil.rmtree(folder / "records")


def removed(folder: Path) -> None:
    for _ in range(50):  # what runs may write in between
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.fault(Row.FOLDER_GONE)
@pytest.mark.parametrize("act", [removed, replaced, records_removed])
def test_a_folder_taken_away_stops_the_run(act: Callable[[Path], None], ground: Ground) -> None:
    process = ground.start("run", ground.suite("g", 8), acts={4: "slow"})
    ground.wait_for("g", 4)
    folder = ground.folder / "results" / "g"
    process.send_signal(19)
    time.sleep(0.1)
    act(folder)
    before = [p.read_bytes() for p in sorted(ground.folder.glob("results/*/records/*"))]
    process.send_signal(18)
    _, error = ground.ended(process, 3)
    place = folder.relative_to(ground.folder) if "records" not in act.__name__ else f"{act.__name__.split('_')[0]}/"
    assert f"{place}" in error
    assert "was removed or renamed while this ran" in error
    assert error.count("\n") == 1
    assert [p.read_bytes() for p in sorted(ground.folder.glob("results/*/records/*"))] == before
    assert not (folder / "plan.json").exists() or act is not removed
    if act is replaced:
        ground.run("run", "g.yaml")
        assert len({r["trial"]["id"] for r in ground.records("g")}) == 8


@pytest.mark.fault(Row.FOLDER_GONE)
def test_a_trial_does_not_make_the_folder_anew(tmp_path: Path) -> None:
    tiny_bert("BertModel", tmp_path / "bert")
    one, results = trial(tmp_path / "bert", text_task(tmp_path), "full"), tmp_path / "results"
    results.mkdir()
    home = results_folder.Home.of(results)
    spec = {**order(one, results), "home": [home.device, home.inode], "checkpoint": 0.0}
    results.rename(tmp_path / "aside")
    record = {"status": "ok"}
    with pytest.raises(StoreError, match="results: was removed or renamed while this ran"):
        worker.run(spec, __import__("torch").device("cpu"), 1, lambda *_: None, record)
    assert not results.exists()


@pytest.mark.fault(Row.FOLDER_GONE)
def test_a_writer_sees_that_its_file_has_gone(tmp_path: Path) -> None:
    with records.Writer(tmp_path, "run") as writer:
        writer.append({"trial": {"id": "a"}, "status": "failed"})
        os.rename(writer.path, tmp_path / "moved")
        with pytest.raises(StoreError, match="was removed or renamed while this ran"):
            writer.append({"trial": {"id": "b"}, "status": "failed"})
        os.rename(tmp_path / "moved", writer.path)
        writer.append({"trial": {"id": "c"}, "status": "failed"})
    assert [r["trial"]["id"] for r in records.read(tmp_path).records] == ["a", "c"]
    assert paths.records(tmp_path).is_dir()
