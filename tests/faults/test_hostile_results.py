"""Results from a stranger: whatever lies in the folder, every command says so in a line, and soon."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from factory import Factory
from rows import Row

from bench.analysis import outcomes
from bench.cli import main
from bench.store import paths, records, safe_reading
from bench.suite.trial import canonical, digest

COMMANDS = (("status", "results"), ("check", "results"), ("report", "results"), ("plan", "r.yaml"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "results/r"
    factory = Factory(folder)
    factory.cell("lora", 64, 0.8, tuning=1)
    factory.cell("full", 64, 0.7)
    return factory.finish()


@pytest.fixture
def results(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("r.yaml").write_text(
        "name: r\nmodels: {minilm: {folder: model}}\nregimes: {lora: , full: }\nsizes: [64]\n"
        "tasks: {sst2: {kind: text-classification, data: {files: data.csv}, splits: {test: 0.2}}}\n"
    )
    shutil.copytree(whole.parent, "results")
    return Path("results/r")


def said(*command: str) -> str:
    """What a command prints; never a traceback."""
    done = CliRunner().invoke(main, command)
    assert done.exception is None or isinstance(done.exception, SystemExit), (command, done.exc_info)
    assert done.exit_code in (0, 1, 2, 3)
    if done.exit_code == 3:
        assert done.stderr.count("\n") == 1
    return done.output.replace("\n", "")


def file(results: Path) -> Path:
    (found,) = paths.records(results).iterdir()
    return found


def parquet(results: Path) -> Path:
    """The predictions of the first record."""
    record = json.loads(file(results).read_bytes().splitlines()[0])
    return paths.predictions(results, record["trial"]["id"], record["attempt"])


def changed(results: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """The first record with a change, under a checksum that is right."""
    first, *rest = file(results).read_bytes().splitlines()
    record = json.loads(first)
    record.pop("checksum")
    change(record)
    line = canonical({**record, "checksum": digest(record, 64)}).encode()
    file(results).write_bytes(b"\n".join([line, *rest]))


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


RECORDS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "no metric": (lambda r: r["scores"].update(metric="f1"), ":1: scores: test holds no f1, which is its metric"),
    "huge": (lambda r: r["scores"]["test"].update(accuracy=1e300), ":1: scores.test.accuracy: input should be less"),
    "text": (lambda r: r["scores"]["test"].update(accuracy="x"), ":1: scores.test.accuracy: input should be a valid"),
    "deep": (lambda r: r.update(environment={"id": "e", "x": deep(300)}), ":1: nested more than 100 deep"),
    "seconds": (lambda r: r["costs"].update(seconds={"total": 1e308}), ":1: costs.seconds.total"),
}


@pytest.mark.fault(Row.HOSTILE)
@pytest.mark.parametrize("name", RECORDS)
def test_a_record_of_anything_is_one_damaged_line(name: str, results: Path) -> None:
    change, problem = RECORDS[name]
    changed(results, change)
    for command in COMMANDS:
        assert f"{file(results).name}{problem}" in said(*command)


@pytest.mark.fault(Row.HOSTILE)
@pytest.mark.parametrize("value", [1e300, 10**400, "much", True, deep(50)])
def test_costs_that_are_no_numbers_are_absent(value: Any, results: Path) -> None:
    changed(results, lambda r: r["costs"].update(memory_bytes={"train_host": value}, flops=value, steps=value))
    for command in COMMANDS:
        said(*command)


@pytest.mark.fault(Row.HOSTILE)
def test_one_cell_of_two_metrics_is_named(results: Path) -> None:
    changed(results, lambda r: r["scores"].update(metric="f1", test={"f1": 0.5}, validation={"f1": 0.5}))
    assert "has no " in (text := said("report", "results"))
    assert "which its cell is compared by; remove its line" in text


def columns(**changes: Any) -> pa.Table:
    plain = {"example": pa.array(range(200)), "outcome": pa.array([1.0] * 200, pa.float32())}
    return pa.table({name: column for name, column in {**plain, **changes}.items() if column is not None})


TABLES: dict[str, tuple[Callable[[], pa.Table], str]] = {
    "text outcomes": (lambda: columns(outcome=pa.array(["x"] * 200)), "has no column 'outcome' of numbers"),
    "no outcomes": (lambda: columns(outcome=None), "has no column 'outcome' of numbers"),
    "nested outcomes": (lambda: columns(outcome=pa.array([[1.0]] * 200)), "has no column 'outcome' of numbers"),
    "infinite": (lambda: columns(outcome=pa.array([float("inf")] * 200)), "has outcomes that are no finite numbers"),
    "some outcomes": (lambda: columns(outcome=pa.array([None, *[1.0] * 199])), "has rows without an outcome"),
    "text examples": (lambda: columns(example=pa.array(["x"] * 200)), "has no column 'example' of integers"),
    "negative": (lambda: columns(example=pa.array(range(-1, 199))), "has example numbers that are none"),
    "huge": (lambda: columns(example=pa.array([2**62, *range(199)])), "has example numbers that are none"),
    "unsigned": (lambda: columns(example=pa.array([2**64 - 1] * 200, pa.uint64())), "has example numbers that are"),
    "twice": (lambda: columns(example=pa.array([0, *range(199)])), "has some examples more often than others"),
    "another's": (columns, "gives accuracy 1, its record says"),
    "empty": (lambda: columns().slice(0, 0), "holds no row"),
}


@pytest.mark.fault(Row.HOSTILE)
@pytest.mark.parametrize("name", TABLES)
def test_predictions_of_anything_are_named_and_not_used(name: str, results: Path) -> None:
    table, problem = TABLES[name]
    pq.write_table(table(), parquet(results))
    place = parquet(results).relative_to(results)
    assert f"{place}: {problem}" in said("check", "results")
    if name in ("text outcomes", "twice", "another's"):
        told = "".join(said("report", "results").split())  # a terminal breaks lines where it has to
        assert "".join(f"Not used for intervals: {place}: {problem}".split()) in told


@pytest.mark.fault(Row.HOSTILE)
def test_more_rows_than_fit_are_never_read(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "MOST_ROWS", 10**6)
    zeros = pa.table({"example": pa.array([0] * 500_000), "outcome": pa.array([0.0] * 500_000)})
    with pq.ParquetWriter(parquet(results), zeros.schema) as writer:
        for _ in range(4):
            writer.write_table(zeros)
    assert parquet(results).stat().st_size < 50_000
    real = pq.ParquetFile.read

    def read(of: pq.ParquetFile, **how: Any) -> pa.Table:
        assert of.metadata.num_rows == 200
        return real(of, **how)

    monkeypatch.setattr(pq.ParquetFile, "read", read)
    assert "cannot be read (its 2,000,000 rows are more than 1,000,000)" in said("check", "results")


def fifo(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def sparse(path: Path) -> None:
    with path.open("ab") as stream:
        os.truncate(stream.fileno(), 1 << 40)


@pytest.mark.fault(Row.HOSTILE)
@pytest.mark.parametrize("put", [fifo, folder, sparse], ids=lambda put: put.__name__)
@pytest.mark.parametrize("name", ["records/20270101T000000Z-x.jsonl", "plan.json", "lock.json", "curve", "predictions"])
def test_what_is_no_plain_file_is_never_waited_for(name: str, put: Callable[[Path], None], results: Path) -> None:
    place = {"predictions": parquet(results), "curve": parquet(results).with_name("curve.json")}.get(
        name, results / name
    )
    put(place)
    problem = "bytes are more than" if put is sparse else "it is no file"
    text = "".join(said(*command) for command in COMMANDS)
    assert place.name in text
    assert problem in text


@pytest.mark.fault(Row.HOSTILE)
def test_lines_without_end_and_without_number(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safe_reading, "MOST_LINE", 100_000)
    monkeypatch.setattr(records, "MOST_DAMAGED", 5)
    whole = file(results).read_bytes()
    file(results).write_bytes(b"\0" * 1_000_000 + b"\n" + whole)
    read = records.read(results)
    assert [line.rpartition(":1: ")[2] for line in read.damaged] == ["longer than any record"]
    assert len(read.records) == len(whole.splitlines())
    file(results).write_bytes(b"x\n" * 100_000)
    read = records.read(results)
    assert len(read.damaged) == 6
    assert read.damaged[-1].endswith(":5: the rest is not read, after 5 damaged lines")


@pytest.mark.fault(Row.HOSTILE)
@pytest.mark.parametrize("levels", [200, 100_000])
@pytest.mark.parametrize("name", ["plan.json", "lock.json"])
def test_deep_documents(name: str, levels: int, results: Path) -> None:
    kept = json.loads((results / name).read_bytes()) if name == "plan.json" else {"models": {}, "regimes": {}}
    text = json.dumps({**kept, "schema": 1, "tasks": 0})
    nested = "[" * levels + "]" * levels
    (results / name).write_text(text.replace('"tasks": 0', f'"tasks": {{"t": {{"x": {nested}}}}}'))
    text = "".join(said(*command) for command in COMMANDS)
    assert name in text
    assert "nested more than 100 deep" in text or "not whole JSON" in text


LOCKS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "no files": (lambda lock: lock["models"]["minilm"].pop("files"), "models.minilm.files: field required"),
    "no fingerprint": (lambda lock: lock["models"]["minilm"].pop("fingerprint"), "models.minilm.fingerprint: field"),
    "no request": (lambda lock: lock["tasks"]["sst2"].pop("request"), "tasks.sst2.request: field required"),
    "no labels": (lambda lock: lock["tasks"]["sst2"].pop("labels"), "tasks.sst2.labels: field required"),
    "counts": (lambda lock: lock["tasks"]["sst2"].update(classes={"train": [-1]}), "tasks.sst2.classes.train.0: input"),
    "no train": (lambda lock: lock["tasks"]["sst2"].update(classes={}), "tasks.sst2: classes counts nothing of train"),
}


@pytest.mark.fault(Row.HOSTILE)
@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_without_its_parts_is_one_line(name: str, results: Path) -> None:
    change, problem = LOCKS[name]
    model = {"request": {}, "fingerprint": "m", "files": {}}
    task = {"request": {}, "fingerprint": "t", "labels": ["a", "b"], "classes": {"train": [9, 9], "test": [1, 1]}}
    lock: dict[str, Any] = {"schema": 1, "models": {"minilm": model}, "tasks": {"sst2": task}, "regimes": {}}
    (results / "lock.json").write_text(json.dumps(lock))
    assert "lock.json" not in said("plan", "r.yaml")
    change(lock)
    (results / "lock.json").write_text(json.dumps(lock))
    assert problem in said("plan", "r.yaml")
    assert problem in said("check", "results")
