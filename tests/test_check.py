"""What `bench check` finds, and what every command says of damaged lines and of a newer version's files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from factory import OTHER, Factory
from rows import Row

from bench import api
from bench.cli import main
from bench.errors import StoreError
from bench.store import paths, records
from bench.suite.trial import canonical, digest

SUITE = """\
name: r
models: {minilm: {folder: model}}
tasks: {sst2: {kind: text-classification, data: {files: data.csv}, splits: {test: 0.2}}}
regimes: {lora: }
sizes: [64]
"""


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A suite, and its whole results in `results/r`."""
    monkeypatch.chdir(tmp_path)
    Path("r.yaml").write_text(SUITE)
    factory = Factory(Path("results/r"))
    factory.cell("lora", 64, 0.8, tuning=1)
    factory.cell("zero-shot", 0, None, seeds=1)
    factory.record(factory.cell("full", 64, None)[0], status="failed")
    return factory.finish()


def bench(*arguments: str, code: int = 0) -> str:
    """All that a command prints."""
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == code, (done.stdout, done.stderr, done.exception)
    return done.output


def test_all_is_well(results: Path) -> None:
    assert bench("check", "results") == "r: 5 records, 0 problems\n"
    (found,) = json.loads(bench("check", str(results), "--json"))
    assert found == {"suite": "r", "records": 5, "problems": [], "leftovers": []}
    assert "no results here" in bench("check", "nowhere", code=2)


def _artifact(name: str) -> Callable[[Path], Path]:
    return lambda results: sorted((results / "artifacts").glob(f"*/*/{name}"))[0]


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize(
    ("name", "damage", "problem"),
    [
        ("predictions.parquet", Path.unlink, "predictions.parquet: is missing, and its record is ok"),
        ("predictions.parquet", _truncate, "predictions.parquet: cannot be read ("),
        ("curve.json", Path.unlink, "curve.json: is missing, and its record is ok"),
        ("curve.json", lambda path: path.write_text("{"), "curve.json: cannot be read ("),
    ],
)
def test_an_artifact_that_is_not_there(name: str, damage: Callable[[Path], Any], problem: str, results: Path) -> None:
    damage(_artifact(name)(results))
    said = bench("check", "results", code=1)
    assert said.startswith("r: 5 records, 1 problems\n  results/r/artifacts/")
    assert problem in said


def test_predictions_of_another_trial_are_not_its_own(results: Path) -> None:
    _, second, *_ = sorted((results / "artifacts").glob("*/*/predictions.parquet"))
    factory = Factory(Path("other"))
    factory.cell("lora", 64, 0.1)
    factory.finish()
    shutil.copy(sorted(Path("other/artifacts").glob("*/*/predictions.parquet"))[0], second)
    assert f"{second}: gives accuracy " in bench("check", "results", code=1)


def test_attempts_that_disagree(results: Path) -> None:
    factory = Factory(results)
    factory.writer.path = paths.records_file(results, "20260102T000000Z", "b")
    (trial, *_) = factory.cell("lora", 64, None)
    factory._attempts = 50
    factory.record(trial, 0.8, environment=OTHER)
    factory.record(trial, 0.3)
    factory.writer.close()
    said = bench("check", "results", code=1)
    assert f"  trial {trial.id}: 2 attempts in one environment disagree: a1, a52\n" in said
    assert "1 problems" in said


def test_leftovers_are_named_and_do_no_harm(results: Path) -> None:
    (trial,) = sorted((results / "artifacts").iterdir())[:1]
    for left in (results / ".plan.json.0123abcd", trial / ".a9.0123abcd", trial / "a77"):
        left.mkdir()
    assert bench("check", "results").splitlines() == [
        "r: 5 records, 0 problems",
        "  leftover, may be removed: results/r/.plan.json.0123abcd",
        f"  leftover, may be removed: {trial}/.a9.0123abcd",
        f"  leftover, may be removed: {trial}/a77",
    ]


def test_a_lock_or_plan_that_cannot_be_read(results: Path) -> None:
    paths.lock(results).write_text("{")
    paths.plan(results).write_bytes(b"\0")
    said = bench("check", "results", code=1)
    assert "lock.json: cannot be read (not whole JSON); remove it" in said
    assert "plan.json: cannot be read (not whole JSON); `bench run` writes it anew" in said


@pytest.mark.fault(Row.DAMAGED)
@pytest.mark.parametrize("line", [b'{"schema": 1', b"garbage", b"\xff\xfe\xc3", b"\0" * 600, b"[" * 50_000])
def test_every_command_names_a_damaged_line(line: bytes, results: Path) -> None:
    (file,) = paths.records(results).iterdir()
    lines = file.read_bytes().splitlines()
    file.write_bytes(b"\n".join([*lines[:2], line, *lines[2:]]))
    place = "20260101T000000Z-run.jsonl:3: not whole JSON"
    assert f"  results/r/records/{place}\n" in bench("check", "results", code=1)
    assert f"  damaged line, skipped: results/r/records/{place}\n" in bench("status", "results")
    assert f"damaged line, skipped: results/r/records/{place}" in bench("plan", "r.yaml")
    assert f"Damaged line, skipped: records/{place}." in bench("report", "results")
    assert len(records.read(results).records) == len(lines)


def test_a_line_that_a_kill_cut_short_is_a_leftover_once_its_trial_ran_again(results: Path) -> None:
    (file,) = paths.records(results).iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole + whole.splitlines()[0][:200])
    assert "5 records, 1 problems" in bench("check", "results", code=1)
    again = paths.records_file(results, "20260102T000000Z", "again")
    again.write_bytes(whole.splitlines(keepends=True)[0])
    said = bench("check", "results")
    assert f"  leftover, may be removed: {file}:6: not whole JSON\n" in said
    assert "amaged" not in bench("status", "results") + bench("plan", "r.yaml")
    shown = bench("report", "results")
    assert "1 record was cut short by a kill; its trial ran again, and nothing is lost." in shown
    assert "amaged" not in shown


def newer(path: Path) -> None:
    """What a version to come may write: another schema, and a checksum by another rule."""
    value = json.loads(path.read_bytes()) if path.exists() else {}
    path.write_text(json.dumps({**value, "schema": 2}))


def newer_record(results: Path, checksum: str | None = None) -> None:
    path = paths.records_file(results, "20260102T000000Z", "newer")
    record = {"schema": 3, "status": "splendid"}
    path.write_text("\n" + canonical({**record, "checksum": checksum or digest(record, 64)}) + "\n")


@pytest.mark.fault(Row.SCHEMA)
@pytest.mark.parametrize("checksum", [None, "by another rule"])
def test_a_newer_record_is_refused_by_every_command(checksum: str | None, results: Path) -> None:
    newer_record(results, checksum)
    before = {p: p.read_bytes() for p in results.rglob("*") if p.is_file()}
    commands = ("status", "results"), ("plan", "r.yaml"), ("report", "results"), ("check", "results"), ("run", "r.yaml")
    for command in commands:
        said = bench(*command, code=3)
        assert "results/r/records/20260102T000000Z-newer.jsonl:2: was written by a newer version of bench" in said
        assert "in schema 3; this one knows schemas up to 2" in said
        assert "upgrade bench" in said
    after = {p: p.read_bytes() for p in results.rglob("*") if p.is_file() and p.name not in (".run.lock", ".run.json")}
    assert after == before
    with pytest.raises(StoreError, match="upgrade bench"):
        api.check(results)


@pytest.mark.fault(Row.SCHEMA)
@pytest.mark.parametrize(
    ("name", "commands"),
    [
        ("lock.json", [("plan", "r.yaml"), ("lock", "r.yaml", "--update"), ("run", "r.yaml"), ("check", "results")]),
        ("plan.json", [("status", "results"), ("report", "results"), ("run", "r.yaml"), ("lock", "r.yaml")]),
    ],
)
def test_a_newer_lock_or_plan_is_refused_and_kept(name: str, commands: list[tuple[str, ...]], results: Path) -> None:
    newer(results / name)
    before = (results / name).read_bytes()
    for command in commands:
        said = bench(*command, code=3)
        assert f"{name}: was written by a newer version of bench, in schema 2; this one knows" in said
    assert (results / name).read_bytes() == before
