"""Data sources: exactly the locked content, or one sentence that says what is wrong."""

from __future__ import annotations

import gzip
import json
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from bench import plugins
from bench.data.row_files import FORMATS
from bench.data_sources.folder import FolderDataParameters
from bench.errors import DataError

files, folder, hub = (plugins.load("data_sources", name) for name in ("files", "folder", "hub"))
Run = Callable[[str, dict[str, str]], str]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def fetched(path: Path | dict[str, Path]) -> dict[str, list[dict[str, object]]]:
    parameters = files.Parameters(files=path)
    splits = files.fetch(parameters, files.lock(parameters)["fingerprint"])
    return {name: list(split) for name, split in splits.items()}


ROWS = [{"text": "a, good\none", "label": 1}, {"text": "None", "label": 0}, {"text": "漢字", "label": 1}]


def test_every_format_gives_the_same_rows(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    write(tmp_path / "a.csv", 'text,label\n"a, good\none",1\nNone,0\n漢字,1\n')
    write(tmp_path / "a.tsv", 'text\tlabel\n"a, good\none"\t1\nNone\t0\n漢字\t1\n')
    write(tmp_path / "a.jsonl", "\n".join(json.dumps(row) for row in ROWS) + "\n\n")
    write(tmp_path / "a.json", json.dumps(ROWS, indent=1))
    pyarrow.parquet.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    for suffix in FORMATS:
        assert fetched(tmp_path / f"a{suffix}") == {"train": ROWS}, suffix


def test_each_split_has_its_own_file_and_format(tmp_path: Path) -> None:
    train = write(tmp_path / "a.csv", "text,label\nx,1\n")
    test = write(tmp_path / "b.jsonl", '{"text": "y", "label": 0}\n')
    rows = fetched({"train": train, "held_out": test})
    assert rows == {"train": [{"text": "x", "label": 1}], "held_out": [{"text": "y", "label": 0}]}


def test_a_type_is_inferred_from_all_rows(tmp_path: Path) -> None:
    many = "".join(f"{i},some words to fill a block\n" for i in range(60_000))
    rows = fetched(write(tmp_path / "a.csv", f"label,text\n{many}other,x\n"))["train"]
    assert rows[0]["label"] == "0"
    assert rows[-1]["label"] == "other"


def test_the_fingerprint_is_of_content_not_of_place(tmp_path: Path) -> None:
    (tmp_path / "moved").mkdir()
    one = files.Parameters(files=write(tmp_path / "a.csv", "text,label\nx,1\n"))
    two = files.Parameters(files={"train": write(tmp_path / "moved" / "b.csv", "text,label\nx,1\n")})
    as_test = files.Parameters(files={"test": tmp_path / "a.csv"})
    assert files.lock(one) == files.lock(two) != files.lock(as_test)
    write(tmp_path / "a.csv", "text,label\nx,2\n")
    assert files.lock(one) != files.lock(two)


def test_a_file_that_changed_is_refused(tmp_path: Path) -> None:
    parameters = files.Parameters(files=write(tmp_path / "a.csv", "text,label\nx,1\n"))
    fingerprint = files.lock(parameters)["fingerprint"]
    files.fetch(parameters, fingerprint)
    write(tmp_path / "a.csv", "text,label\ny,1\n")
    with pytest.raises(DataError, match=r"a\.csv: changed since it was locked; `bench lock SUITE --update`"):
        files.fetch(parameters, fingerprint)


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("a.csv", "text,label\nx,1\ny\n", r"a\.csv:3: expected 2 fields, .*, and found 1; .*skip_bad_rows"),
        ("a.csv", "text,label\nx,1,2\n", r"a\.csv:2: expected 2 fields, .*, and found 3; .*delimiter"),
        ("a.csv", "0.5,good\n0.1,bad\n", r"first line must name the columns, each once; '0.5'"),
        ("a.csv", "text,text\na,b\n", r"2 columns are called 'text'; rename all but one"),
        ("a.csv", "text,label\n", "holds no rows"),
        ("a.csv", "", "holds no rows"),
        ("a.jsonl", "", "holds no rows"),
        ("a.jsonl", '{"text": "x"}\n{"text": \n', r"a\.jsonl:2: is no valid JSON"),
        ("a.jsonl", '{"text": "x"}\n\n["y"]\n', r"a\.jsonl:3: every row must be an object"),
        ("a.jsonl", '{"label": 1}\n{"label": "x"}\n', r"label.*changed from number to string"),
        ("a.json", '[{"text": "x"}', r"a\.json: is no valid JSON"),
        ("a.parquet", "not parquet", r"a\.parquet: "),
        ("a.xlsx", "x", r"'\.xlsx' is no format that can be read; save it as CSV"),
    ],
)
def test_bad_files_are_named_with_the_place(tmp_path: Path, name: str, text: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        files.lock(files.Parameters(files=write(tmp_path / name, text)))


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"text,label\n\xff\xfe,1\n")
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "\xff"}\n')
    (tmp_path / "d.csv").mkdir()
    for name in ("a.jsonl", "missing.csv", "d.csv"):
        with pytest.raises(DataError, match=name):
            files.lock(files.Parameters(files=tmp_path / name))
    with pytest.raises(DataError, match=r"a\.csv:2: .*UTF-8"):
        files.lock(files.Parameters(files=tmp_path / "a.csv"))


@pytest.mark.parametrize("split", ["../train", "a/b", "", "x" * 65, "a\0b", "dataset_dict.json"])
def test_a_split_name_never_becomes_a_path(split: str) -> None:
    with pytest.raises(ValidationError, match="is no name of a split"):
        files.Parameters(files={split: Path("a.csv")})


def test_splits_that_differ_in_case_alone_would_be_one_folder(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="splits 'train' and 'Train' differ in case alone"):
        files.Parameters(files={"train": Path("a.csv"), "Train": Path("b.csv")})
    for names in (("train/a/1.png", "Train/b/2.png"), ("dataset_dict.json/a/1.png", "train/b/2.png")):
        with pytest.raises(DataError, match=r"differ in case alone|is no name of a split"):
            folder.lock(images(tmp_path / names[0].partition("/")[0] / "x", *names))


def images(root: Path, *names: str) -> FolderDataParameters:
    from PIL import Image

    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (number, 0, 0)).save(root / name)
    return folder.Parameters(folder=root)


def test_image_folders_with_and_without_splits(tmp_path: Path) -> None:
    flat = images(tmp_path / "flat", "cat/1.png", "dog/2.png")
    splits = folder.fetch(flat, folder.lock(flat)["fingerprint"])
    assert splits["train"].features["label"].names == ["cat", "dog"]
    assert [row["image"].getpixel((0, 0)) for row in splits["train"]] == [(0, 0, 0), (1, 0, 0)]

    deep = images(tmp_path / "deep", "train/cat/1.png", "train/dog/2.png", "held_out/dog/3.png")
    splits = folder.fetch(deep, folder.lock(deep)["fingerprint"])
    assert {name: split["label"][:] for name, split in splits.items()} == {"train": [0, 1], "held_out": [1]}


def test_an_image_that_changed_is_refused(tmp_path: Path) -> None:
    parameters = images(tmp_path, "cat/1.png", "dog/2.png")
    fingerprint = folder.lock(parameters)["fingerprint"]
    images(tmp_path, "dog/2.png")
    with pytest.raises(DataError, match="changed since it was locked"):
        folder.fetch(parameters, fingerprint)


def test_bad_image_folders(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no folder"):
        folder.lock(folder.Parameters(folder=tmp_path / "absent"))
    with pytest.raises(DataError, match="holds no images"):
        folder.lock(folder.Parameters(folder=tmp_path))
    with pytest.raises(DataError, match=r"1\.png: put every image into class/file"):
        folder.lock(images(tmp_path / "mixed", "cat/2.png", "1.png"))
    parameters = images(tmp_path / "broken", "cat/1.png", "dog/2.png")
    write(tmp_path / "broken" / "dog" / "2.png", "no image")
    with pytest.raises(DataError, match=r"2\.png: is no image of a kind that Pillow reads"):
        folder.lock(parameters)
    parameters = images(tmp_path / "cut", "cat/1.png", "dog/2.jpg")
    whole = (tmp_path / "cut" / "dog" / "2.jpg").read_bytes()
    (tmp_path / "cut" / "dog" / "2.jpg").write_bytes(whole[:-20])
    with pytest.raises(DataError, match=r"2\.jpg: is no (readable )?image"):
        folder.lock(parameters)


@pytest.mark.parametrize("config", ["..", "../x", "*", "a/b", ""])
def test_a_config_never_becomes_a_path(config: str) -> None:
    with pytest.raises(ValidationError, match="should match pattern"):
        hub.Parameters(hub="a/b", config=config)


@pytest.mark.parametrize("name", ["../x", "a/b/c", "/etc", "a b", "-x", "a/..b", ""])
def test_what_is_no_hub_id(name: str) -> None:
    with pytest.raises(ValidationError):
        hub.Parameters(hub=name)


FETCH = """
import sys
from bench import plugins
from bench.errors import BenchError
hub = plugins.load("data_sources", "hub")
for name, config, revision in {cases!r}:
    try:
        parameters = hub.Parameters(hub=name, config=config, revision=revision)
        fingerprint = hub.lock(parameters)["fingerprint"]
        splits = hub.fetch(parameters, fingerprint)
        print(len(fingerprint), {{k: len(v) for k, v in splits.items()}}, all(v.cache_files for v in splits.values()))
    except BenchError as error:
        print(type(error).__name__, error)
"""


@pytest.mark.hub
def test_real_datasets_online_and_then_offline(hub_env: dict[str, str], python: Run) -> None:
    cases = [
        ("stanfordnlp/sst2", None, "main"),
        ("fancyzhx/ag_news", None, "main"),
        ("uoft-cs/cifar10", "plain_text", "main"),
        ("ylecun/mnist", None, "main"),
        ("google/xquad", "xquad.de", "main"),
        ("google/xquad", "xquad.en", "main"),
    ]
    online = python(FETCH.format(cases=cases), hub_env).splitlines()
    assert online == [
        "40 {'train': 6920, 'validation': 872, 'test': 1821} True",
        "40 {'train': 6000, 'test': 1600} True",
        "40 {'train': 10000, 'test': 2000} True",
        "40 {'train': 6000, 'test': 2000} True",
        "40 {'validation': 1190} True",
        "40 {'validation': 1190} True",
    ]
    offline = {**hub_env, "HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}
    assert python(FETCH.format(cases=cases), offline).splitlines() == online


@pytest.mark.hub
def test_what_the_hub_does_not_have(hub_env: dict[str, str], python: Run) -> None:
    cases = [
        ("no/such", None, "main"),
        ("stanfordnlp/sst2", "defalt", "main"),
        ("stanfordnlp/sst2", None, "v9"),
        ("google/xquad", None, "main"),
    ]
    assert python(FETCH.format(cases=cases), hub_env).splitlines() == [
        "DataError the Hub has no dataset 'no/such' at main, or it is private: check the spelling; for a private one "
        "log in with `hf auth login` or set HF_TOKEN",
        "DataError dataset 'stanfordnlp/sst2' has no config 'defalt'; did you mean 'default'?",
        "DataError dataset 'stanfordnlp/sst2' has no revision 'v9' on the Hub; name a branch, tag or commit that its "
        "page lists",
        "DataError dataset 'google/xquad' has several configs; add `config:` with one of xquad.de, xquad.en, xquad.zh",
    ]


@pytest.mark.hub
def test_another_commit_in_the_cache_is_never_taken(
    hub_env: dict[str, str], serve_hub: Callable[..., str], python: Run, tmp_path: Path
) -> None:
    """`datasets` alone would here, offline, silently return the other commit's rows. The dataset has no card."""
    lock = """
    from bench import plugins
    hub = plugins.load("data_sources", "hub")
    print(hub.lock(hub.Parameters(hub="me/tiny"))["fingerprint"])
    """
    fetch = """
    from bench import plugins
    from bench.errors import BenchError
    hub = plugins.load("data_sources", "hub")
    try:
        print(hub.fetch(hub.Parameters(hub="me/tiny"), {!r})["train"]["text"][:])
    except BenchError as error:
        print(type(error).__name__)
    """
    repository = tmp_path / "hub" / "datasets" / "me" / "tiny"
    repository.mkdir(parents=True)
    commits = []
    for text in ("old", "new"):
        write(repository / "train.csv", f"text,label\n{text},1\n")
        env = {**hub_env, "HF_ENDPOINT": serve_hub(root=tmp_path / "hub")}
        commits.append(python(lock, env).strip())
        if text == "old":
            assert python(fetch.format(commits[0]), env).strip() == "['old']"
    offline = {**env, "HF_HUB_OFFLINE": "1"}
    assert python(fetch.format(commits[1]), offline).strip() == "HubError"
    assert python(fetch.format(commits[1]), env).strip() == "['new']"
    assert python(fetch.format(commits[0]), offline).strip() == "['old']"


@pytest.mark.hub
def test_a_hub_that_stumbles_and_one_that_is_down(
    hub_env: dict[str, str], serve_hub: Callable[..., str], python: Run
) -> None:
    cases = [("stanfordnlp/sst2", None, "main")]
    stumbling = serve_hub("*api/datasets*=503*1", "*parquet=503*1", "*parquet=cut*1")
    found = python(FETCH.format(cases=cases), {**hub_env, "HF_ENDPOINT": stumbling})
    assert found == "40 {'train': 6920, 'validation': 872, 'test': 1821} True\n"
    cases = [("fancyzhx/ag_news", None, "main")]
    quick = FETCH.replace("import sys", "import bench.hub.client; bench.hub.client.WAITS = ()").format(cases=cases)
    down = python(quick, {**hub_env, "HF_ENDPOINT": serve_hub("*=503")})
    assert down.startswith(
        "HubError the Hub cannot be reached for dataset 'fancyzhx/ag_news' at main (it answered 503)"
    )
    gone = python(quick, {**hub_env, "HF_ENDPOINT": "http://127.0.0.1:9"})
    assert gone.startswith(
        "HubError the Hub cannot be reached for dataset 'fancyzhx/ag_news' at main (ConnectionRefusedError"
    )
    offline = python(quick, {**hub_env, "HF_HUB_OFFLINE": "1"})
    assert offline.startswith("HubError dataset 'fancyzhx/ag_news' at main is not in the local cache")


DIALECTS = {
    "semicolons.csv": b"text;label\ngood, really;1\nbad;0\n",
    "tabs.csv": b"text\tlabel\ngood, really\t1\nbad\t0\n",
    "bars.csv": b"text|label\ngood, really|1\nbad|0\n",
    "bom.csv": 'text,label\n"good, really",1\nbad,0\n'.encode("utf-8-sig"),
    "utf-16.csv": 'text,label\r\n"good, really",1\r\nbad,0\r\n'.encode("utf-16"),
    "utf-16-tabs.csv": 'text\tlabel\r\n"good, really"\t1\r\nbad\t0\r\n'.encode("utf-16"),
    "index.csv": b',text,label\n0,"good, really",1\n1,bad,0\n',
    "packed.csv.gz": gzip.compress(b'text,label\n"good, really",1\nbad,0\n'),
    "packed.jsonl.gz": gzip.compress(b'{"text": "good, really", "label": 1}\n{"text": "bad", "label": 0}\n'),
    "packed.tsv.xz": lzma.compress(b"text\tlabel\ngood, really\t1\nbad\t0\n"),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_a_file_says_how_it_is_to_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(DIALECTS[name])
    assert fetched(tmp_path / name) == {"train": [{"text": "good, really", "label": 1}, {"text": "bad", "label": 0}]}


def test_one_column_is_divided_by_nothing(tmp_path: Path) -> None:
    rows = fetched(write(tmp_path / "a.csv", "text\none; two\nthree\n"))
    assert rows == {"train": [{"text": "one; two"}, {"text": "three"}]}


def test_what_a_file_does_not_say_the_suite_may(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("text#label\n好吃#1\nx#y#z\n难吃#0\n".encode("gb18030"))
    with pytest.raises(DataError, match=r"a\.csv:2: byte 0x.. is no UTF-8; .*`encoding: gb18030` reads '好吃#1'"):
        files.lock(files.Parameters(files=tmp_path / "a.csv"))
    parameters = files.Parameters(files=tmp_path / "a.csv", encoding="gb18030", delimiter="#", skip_bad_rows=True)
    locked = files.lock(parameters)
    assert locked["remarks"] == ["a.csv: 1 row that could not be read left out"]
    assert files.fetch(parameters, locked["fingerprint"])["train"]["text"][:] == ["好吃", "难吃"]
    assert files.places(parameters, "train", [0, 1]) == f"{tmp_path / 'a.csv'}:2, 4"


def test_what_is_not_set_is_not_said(tmp_path: Path) -> None:
    """Trials of suites from before there was such a setting keep their ids."""
    assert files.Parameters(files=Path("a.csv")).model_dump(mode="json") == {"files": "a.csv"}
    assert files.Parameters(files=Path("a.csv"), delimiter=";").model_dump() == {
        "files": Path("a.csv"),
        "delimiter": ";",
    }


@pytest.mark.parametrize("wrong", [{"delimiter": ""}, {"delimiter": "; "}, {"delimiter": '"'}, {"encoding": "utf-9"},
                                   {"encoding": "zlib"}, {"encoding": "a\0"}])  # fmt: skip
def test_settings_that_mean_nothing(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match=r"should match pattern|no encoding of text"):
        files.Parameters(files=Path("a.csv"), **wrong)


def test_bad_rows_are_told_together(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'text,label\n"a\n\nb",1\nx,y,1\n\nu,v,0\nok,1\nok2,1\nok3,0\nlast\n')
    with pytest.raises(DataError, match=r"a\.csv:5: .* found 3, and 2 rows more like it \(lines 7, 11\)"):
        files.lock(files.Parameters(files=path))
    path = write(tmp_path / "b.csv", 'text,label\n"open,1\nx,1\ny,0\n')
    with pytest.raises(DataError, match=r"b\.csv:2: .* found 1; close the quote that is opened there"):
        files.lock(files.Parameters(files=path))
    path = write(tmp_path / "c.csv", 'label,text\n1,x\n0,"open\n1,y\n0,z\n')
    assert files.lock(files.Parameters(files=path))["remarks"] == [
        "c.csv: a quote is opened and not closed, and the last row may hold others"
    ]
    path = write(tmp_path / "d.csv", 'text,label\n"open,1\nx,1\n"y,0\nz,0\n"Dear Sir,\nno, 1",1\n')
    (said,) = files.lock(files.Parameters(files=path))["remarks"]
    assert said.startswith("d.csv: 1 text of several lines may hold other rows; is a quote opened there")
    path = write(tmp_path / "d.csv", 'label,text\n1,"open\n0,x\n0,"y\n0,z\n')
    assert "d.csv: 1 text of several lines" in files.lock(files.Parameters(files=path))["remarks"][0]
    path = write(tmp_path / "d.jsonl", '{"text": "a"}\n\n{"text"\n[1]\n{"text": "b"}\n')
    parameters = files.Parameters(files=path, skip_bad_rows=True)
    assert files.lock(parameters)["remarks"] == ["d.jsonl: 2 rows that could not be read left out"]
    assert files.places(parameters, "train", [0, 1]) == f"{path}:1, 5"


def test_spreadsheets_and_missing_files_are_called_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.xlsx: No such file or directory; check `files`"):
        files.lock(files.Parameters(files=tmp_path / "a.xlsx"))
    with zipfile.ZipFile(tmp_path / "b.csv", "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    with pytest.raises(DataError, match=r"b\.csv: is a zip archive or a spreadsheet, whatever its name says"):
        files.lock(files.Parameters(files=tmp_path / "b.csv"))
    (tmp_path / "c.csv").write_bytes("text,label\nx,1\n".encode("utf-16-le"))
    with pytest.raises(DataError, match=r"c\.csv:1: is no UTF-8; it looks like `encoding: utf-16-le`"):
        files.lock(files.Parameters(files=tmp_path / "c.csv"))
