"""Data that is damaged, odd or hostile: one sentence with the place, the cause and the way out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from rows import Row

from bench import api
from bench.data_sources.files import FileData
from bench.errors import DataError
from bench.planning import lock as locks
from bench.suite.trial import Json
from bench.trial import perform

files = FileData()
GOOD = pa.table({"text": ["a", "b"], "label": [0, 1]})


def parquet(path: Path, table: Any) -> Path:
    pyarrow.parquet.write_table(table, path)
    return path


@pytest.mark.fault(Row.ODD_FILE)
@pytest.mark.parametrize(
    "said",
    [b"{bad", b'{"info": 3}', b"[]", b"\xff\xfe",
     b'{"info": {"features": {"text": {"dtype": "string", "_type": "Value"}, "label": {"_type": "Such"}}}}'],
)  # fmt: skip
def test_a_parquet_file_that_lies_about_its_columns(tmp_path: Path, said: bytes) -> None:
    path = parquet(tmp_path / "a.parquet", GOOD.replace_schema_metadata({b"huggingface": said}))
    with pytest.raises(DataError, match=r"a\.parquet: what it says of its columns .* is damaged: .*; write it anew"):
        files.lock(files.Parameters(files=path))


@pytest.mark.fault(Row.ODD_FILE)
@pytest.mark.parametrize("names", [["no", None], [1, 2]])
def test_classes_whose_names_are_none(tmp_path: Path, names: list[Any]) -> None:
    said = {"text": {"dtype": "string", "_type": "Value"}, "label": {"names": names, "_type": "ClassLabel"}}
    table = GOOD.replace_schema_metadata({b"huggingface": json.dumps({"info": {"features": said}}).encode()})
    parquet(tmp_path / "a.parquet", table)
    answer = locked(tmp_path, "{kind: text-classification, data: {files: a.parquet}, splits: {test: 0.5}}")
    assert answer["error"]["classes"][0][-1] == "DataError"
    assert "column 'label': the data call a class" in answer["error"]["message"]


@pytest.mark.fault(Row.ODD_FILE)
def test_two_columns_of_one_name(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", pa.table([["a"], ["b"]], names=["text", "text"]))
    with pytest.raises(DataError, match=r"a\.parquet: 2 columns are called 'text'; rename all but one"):
        files.lock(files.Parameters(files=path))


@pytest.mark.fault(Row.ODD_FILE)
@pytest.mark.parametrize("depth", [900, 5000, 200_000])
def test_rows_nested_without_end(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": ' + "[" * depth + "]" * depth + "}\n")
    with pytest.raises(DataError, match=r"a\.jsonl.*: .*(nested too deeply|Recursion level)"):
        files.lock(files.Parameters(files=path))


def locked(folder: Path, task: str) -> Json:
    """What the process answers that reads a task's data for `bench lock`."""
    suite = folder / "t.yaml"
    suite.write_text(f"name: t\nmodels: {{m: {{folder: m}}}}\nregimes: {{full: }}\nsizes: [8]\ntasks: {{t: {task}}}\n")
    orders = locks.orders(api.load_suite(suite), {"models": {}, "tasks": {}, "regimes": {}})
    return perform.run(next(order for section, *_, order in orders if section == "tasks") | {"threads": 1}, print)


@pytest.mark.fault(Row.ODD_ROWS)
def test_null_words_and_tags(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"tokens": ["a"], "tags": ["O"]}\n{"tokens": ["a", null], "tags": ["O", "B-x"]}\n\n'
        '{"tokens": ["b"], "tags": [null]}\n{"tokens": null, "tags": null}\n'
    )
    answer = locked(tmp_path, "{kind: token-classification, data: {files: a.jsonl}, splits: {test: 0.3}}")
    assert answer["error"]["classes"][0][-1] == "DataError"
    place, *others = answer["error"]["message"].split("; also ")
    assert place.startswith("task t, split train, row 1 (")
    assert place.endswith("a.jsonl:2), column 'tokens': word None is no text; correct it or leave the row out")
    assert [other.partition("): ")[2] for other in others] == [
        "tag None is not among labels; known: B-x, O", "0 words and 0 tags; give every word one"
    ]  # fmt: skip


@pytest.mark.fault(Row.UNREMARKED)
def test_data_that_is_odd_and_not_wrong_is_remarked(tmp_path: Path) -> None:
    rows = ["a,01", "b,1", "c,x", "c,x", "c,1", "d,X ", "NaN,x", ",x"]
    (tmp_path / "a.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    (tmp_path / "b.csv").write_text("text,label\ny,x\nz,01\nu,1\nv,X \n")
    answer = locked(tmp_path, "{kind: text-classification, data: {files: {train: a.csv, test: b.csv}}}")
    said = "\n".join(answer["entry"]["summary"]["remarks"])
    alike = ["'01' and '1'", "'X ' and 'x'"]
    for part in (*alike, "2 training examples repeat", "1 input stands", "1 text of train is empty", "'NaN'"):
        assert part in said
