"""`bench init`: the suites it writes load, mean what the data says, and run."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import api
from bench.errors import DataError, UsageError
from bench.planning.init import suite_for
from bench.suite.schema import Suite
from bench.suite.yaml import scalar

SIX = ["zero-shot", "linear-probe", "partial", "lora", "full", "retrain"]


def table(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def reviews(
    path: Path, count: int = 200, text: str = "text", label: str = "label", words: Any = ("bad", "good")
) -> Path:
    rows = [
        {"id": i, text: f"the film is {'dull' if i % 2 else 'a joy'} {i}", label: words[i % len(words)], "const": "x"}
        for i in range(count)
    ]
    return table(path, rows)


def loaded(text: str, folder: Path) -> Suite:
    path = folder / "written.yaml"
    path.write_text(text)
    return api.load_suite(path)


def only_task(suite: Suite) -> Any:
    (task,) = suite.tasks.values()
    return task


def test_a_csv_becomes_a_suite_of_all_regimes(tmp_path: Path) -> None:
    source = reviews(tmp_path / "My Reviews.csv", text="what they said", label="verdict")
    suite = loaded(suite_for(str(source)), tmp_path)
    task = only_task(suite)
    assert suite.name == "my-reviews"
    assert list(suite.regimes) == SIX
    assert task.columns == {"text": "what they said", "label": "verdict"}
    assert task.parameters.labels == {"bad": "bad", "good": "good"}
    assert task.splits == {"train": "train", "test": 0.2}
    assert task.data.parameters.files == source
    assert task.sizes == (64, "all")
    assert task.parameters.max_length == 32


def test_asked_columns_and_models_win(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    rows = [{"text": f"a long text {i}", "label": f"short {i}", "few": "ab"[i % 2], "level": i % 3} for i in range(30)]
    source = table(tmp_path / "a.csv", rows)
    models = [str(tmp_path / "m"), "org/m", "other/m"]
    suite = loaded(suite_for(str(source), text="label", label="level", models=models), tmp_path)
    assert only_task(suite).columns == {"text": "label", "label": "level"}
    assert list(suite.models) == ["m", "m-2", "m-3"]
    assert [m.source for m in suite.models.values()] == ["folder", "hub", "hub"]


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("no", ("yes", "no")),
        (": x", (": x", "- y")),
        ("0x1F", ("1e-4", "0x1F")),
        ("null", ("~", "null")),
        ("a#b", ("a #b", "it's")),
        ("{c}", ("[d]", '"e"')),
        ("ä\tö", ("漢字", "tab\there")),
        ("true", ("true", "false")),
    ],
)
def test_no_name_is_mistaken_for_yaml(column: str, words: tuple[str, str], tmp_path: Path) -> None:
    source = reviews(tmp_path / f"{column}.csv", label=column, words=words)
    task = only_task(loaded(suite_for(str(source)), tmp_path))
    assert task.columns["label"] == column
    assert set(task.parameters.labels) == {str(scalar(w)) if w in ("true", "false") else w for w in words}


@settings(deadline=None, max_examples=200)
@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1))
def test_any_string_is_quoted_so_that_it_is_read_back(text: str) -> None:
    from bench.suite.yaml import Document, _Walk
    from bench.suite.yaml_flow import word as _word

    document = Document("x")
    _Walk(f"[{_word(text)}, {{{_word(text)}: 1}}]", document).documents()
    assert document.value == [text, {text: 1}]
    assert not document.problems


def test_whole_numbers_are_labels(tmp_path: Path) -> None:
    text = suite_for(str(reviews(tmp_path / "a.csv", label="stars", words=[1, 2, 10])))
    assert set(only_task(loaded(text, tmp_path)).parameters.labels) == {"1", "2", "10"}
    assert "telling word" in text


def test_jsonl_and_parquet(tmp_path: Path) -> None:
    import pyarrow.parquet

    rows = [{"text": f"text number {i}", "label": "ab"[i % 2]} for i in range(20)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.parquet"):
        assert only_task(loaded(suite_for(str(tmp_path / name)), tmp_path)).columns == {
            "text": "text",
            "label": "label",
        }


def test_a_folder_of_images(tmp_path: Path) -> None:
    for split, count in (("train", 20), ("test", 4)):
        for name in ("cat", "no"):
            folder = tmp_path / "pets" / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                PIL.Image.new("RGB", (8, 8), (i, 9, 9)).save(folder / f"{i}.png")
    suite = loaded(suite_for(str(tmp_path / "pets")), tmp_path)
    task = only_task(suite)
    assert task.kind == "image-classification"
    assert task.parameters.labels == ("cat", "no")
    assert task.splits == {"train": "train", "test": "test"}
    assert list(suite.models) == ["clip-vit-base-patch32"]


@pytest.mark.parametrize(
    ("source", "options", "said"),
    [
        ("absent.csv", {}, "absent.csv: no such file"),
        ("a.csv", {"text": "txet"}, "--text txet: a.csv has no such column; did you mean 'text'?"),
        ("a.csv", {"text": "id"}, "holds whole numbers, not text"),
        ("a.csv", {"label": "id", "kind": "text-classification"}, "no columns fit text-classification, which takes"),
        ("a.csv", {"kind": "text-clasification"}, "did you mean 'text-classification'?"),
        ("a.csv", {"test": "prose.csv"}, "prose.csv: it has no column 'label', as the file to train on has it"),
        ("org/data", {"test": "a.csv"}, "a.csv: a file to test on goes with a file to train on"),
        ("odd.csv", {}, "odd.csv, column 'label': 9 different texts in 9 rows; a label has 2 to 4"),
        ("a.csv", {"label": "const"}, "column 'const': 1 different texts"),
        ("a.csv", {"text": "label", "label": "label"}, "one column cannot be both"),
        ("a.csv", {"models": ["../m"]}, "--model ../m: neither a folder here nor a Hub id"),
        ("hole.csv", {"label": "label"}, "29 of 200 rows have no label in column 'label' (the first: row 3)"),
        ("prose.csv", {}, "name it with --label"),
        ("numbers.csv", {}, "no column holds text or images"),
        ("not an id", {}, "neither a file or folder here nor a Hub id"),
    ],
)
def test_what_cannot_be_is_said(
    source: str, options: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    reviews(Path("a.csv"))
    reviews(Path("hole.csv"), words=["bad", "good", "bad", "", "good", "bad", "good"])
    table(Path("prose.csv"), [{"text": f"text {i}", "other": f"{i} times"} for i in range(9)])
    table(Path("odd.csv"), [{"text": f"text {i}", "label": f"label {i}"} for i in range(9)])
    table(Path("numbers.csv"), [{"a": i, "b": i % 2} for i in range(9)])
    with pytest.raises((DataError, UsageError)) as caught:
        suite_for(source, **options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def bench(*arguments: str, env: dict[str, str] | None = None, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from bench.cli import main; main()", *arguments],
        env=env, cwd=cwd, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


@pytest.mark.fault
def test_what_init_writes_runs_unchanged(tmp_path: Path) -> None:
    from tiny_models import tiny_bert

    tiny_bert("BertForMaskedLM", tmp_path / "model")
    reviews(tmp_path / "reviews.csv", words=("dull", "joy"))
    written = bench("init", "reviews.csv", "--model", "model", cwd=tmp_path)
    assert written.returncode == 0, written.stderr
    assert not written.stderr
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "r.yaml").write_text(written.stdout)
    done = bench("run", "elsewhere/r.yaml", "--smoke", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    # the tiny model has but two blocks, so that `partial` has nothing to freeze
    assert json.loads(done.stdout) == {
        "results": "results/reviews-smoke",
        "executed": 6,
        "statuses": {"ok": 5, "not_applicable": 1},
        "trials": {"trials": 6, "done": 6},
    }


@pytest.mark.hub
def test_a_hub_id_becomes_a_suite(hub_env: dict[str, str], tmp_path: Path, python: Callable[..., str]) -> None:
    for name, columns, splits in (
        ("stanfordnlp/sst2", {"text": "sentence", "label": "label"}, {"train": "train", "test": "validation"}),
        ("fancyzhx/ag_news", {"text": "text", "label": "label"}, {"train": "train", "test": "test"}),
    ):
        text = python(f"from bench.planning.init import suite_for; print(suite_for({name!r}))", hub_env)
        task = only_task(loaded(text, tmp_path))
        assert task.columns == columns
        assert task.splits == splits
