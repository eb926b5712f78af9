"""What a stranger wrote runs nothing, overwrites nothing, fills nothing and drives nothing."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import resource
import struct
import subprocess
import sys
import tarfile
import textwrap
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rows import Row

from bench import api
from bench.data import decompression_limits
from bench.data_sources.files import FileData
from bench.data_sources.folder import FolderData
from bench.errors import DataError, ModelError, SuiteError, UsageError
from bench.redact import redact, redact_all

pytestmark = pytest.mark.fault(Row.TRUST)
files, folder = FileData(), FolderData()


class Bomb:
    """Unpickled by anything but an unpickler for weights, it leaves a folder."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self.target),))


def bert(folder: Path) -> Path:
    from tiny_models import tiny_bert

    tiny_bert("BertForMaskedLM", folder)
    return folder


def built(model: Path) -> None:
    from bench.modeling.models.loading import classifier

    classifier(model, classes=2, pooling="mean", modality="text", pretrained=True, seed=0)


def asked(model: Path) -> None:
    import torch

    from bench.modeling.inference import zero_shot

    zero_shot.load("AutoModelForMaskedLM", model, torch.device("cpu"), torch.float32)


@pytest.mark.parametrize("load", [built, asked])
@pytest.mark.parametrize("zipped", [True, False])
def test_pickled_weights_run_nothing(load: Callable[[Path], None], zipped: bool, tmp_path: Path) -> None:
    import torch

    model, mark = bert(tmp_path / "model"), tmp_path / "ran"
    (model / "model.safetensors").unlink()
    torch.save({"x": Bomb(mark)}, model / "pytorch_model.bin", _use_new_zipfile_serialization=zipped)
    with pytest.raises(ModelError, match="would run code of their own; nothing of them was loaded"):
        load(model)
    assert not mark.exists()
    torch.load(model / "pytorch_model.bin", weights_only=False)
    assert mark.exists()  # the bomb is one


@pytest.mark.parametrize("load", [built, asked])
def test_other_pickles_beside_a_model_are_not_read(load: Callable[[Path], None], tmp_path: Path) -> None:
    model, mark = bert(tmp_path / "model"), tmp_path / "ran"
    for name in ("training_args.bin", "tokenizer.pkl", "optimizer.pt", "scheduler.pt", "rng_state.pth", "vocab.bin",
                 "pytorch_model.bin", "adapter_model.bin", "1_Pooling/pytorch_model.bin", "modules.pkl"):  # fmt: skip
        (model / name).parent.mkdir(exist_ok=True)
        (model / name).write_bytes(pickle.dumps(Bomb(mark)))
    load(model)
    assert not mark.exists()


@pytest.mark.parametrize("load", [built, asked])
def test_code_in_a_folder_is_not_run(load: Callable[[Path], None], tmp_path: Path) -> None:
    model, mark = bert(tmp_path / "model"), tmp_path / "ran"
    config = json.loads((model / "config.json").read_text())
    for key in ("AutoConfig", "AutoModel", "AutoModelForMaskedLM"):
        config.setdefault("auto_map", {})[key] = f"evil.{key}"
    (model / "config.json").write_text(json.dumps({**config, "model_type": "evil"}))
    (model / "evil.py").write_text(f"open({str(mark)!r}, 'w')\n")
    with pytest.raises(ModelError, match="custom code"):
        load(model)
    (model / "config.json").write_text(json.dumps({**config, "model_type": "bert"}))
    load(model)  # transformers' own class, where it has one
    assert not mark.exists()


def test_code_of_a_tokenizer_is_not_run(tmp_path: Path) -> None:
    from bench.modeling.encoding.text import tokenizer_for

    model, mark = bert(tmp_path / "model"), tmp_path / "ran"
    config = json.loads((model / "tokenizer_config.json").read_text())
    config |= {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}}
    (model / "tokenizer_config.json").write_text(json.dumps(config))
    (model / "evil.py").write_text(f"open({str(mark)!r}, 'w')\n")
    try:
        tokenizer_for(model)
    except ModelError as error:
        assert "custom code" in str(error)  # noqa: PT017  (or transformers takes its own class)
    assert not mark.exists()


def test_an_adapter_does_not_bring_another_model(tmp_path: Path) -> None:
    from bench.model_sources.folder import FolderModels

    models = FolderModels()
    model = bert(tmp_path / "model")
    (model / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "/elsewhere"}))
    with pytest.raises(ModelError, match=r"holds an adapter_config\.json"):
        models.lock(models.Parameters(folder=model))


def test_arrays_with_pickles_are_refused(tmp_path: Path) -> None:
    import numpy as np

    from bench.modeling.encoding import text

    mark = tmp_path / "ran"
    for name in ("ids", "offsets", "pad"):
        np.save(tmp_path / f"{name}.npy", np.array([Bomb(mark)], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"Python objects|allow_pickle=False"):
        text.load(tmp_path)
    assert not mark.exists()


# Suites


HEAD = "name: a\nmodels: {m: a/b}\ntasks: {t: {kind: text-classification, data: {builtin: python-docs}}}\n"


def asking(tasks: int, wrong: int) -> str:
    """A suite of many tasks that asks for as many others, so that the nearest name is looked for each time."""
    task = "{{kind: text-classification, data: {{builtin: python-docs}}, max_length: {}}}"
    known = "".join(f"  the-task-{i:04}: {task.format(i + 4)}\n" for i in range(tasks))
    head = "name: a\nmodels: {m: a/b}\nregimes: {full: }\nsizes: [16]\nseeds: 1\ntuning: null\n"
    return f"{head}tasks:\n{known}forgetting: [{', '.join(f'a-tisk-{i:05}' for i in range(wrong))}]\n"


DEEP = {
    "bomb": "a0: &a [x, x]\n" + "".join(f"a{i}: &a{i} [{','.join(['*a'] * 10)}]\n" for i in range(40)),
    "deep-flow": "a: " + "[" * 3000 + "]" * 3000,
    "deep-dashes": "- " * 3000 + "x",
    "deep-lines": "".join(" " * i + "a:\n" for i in range(1400)),
    "brackets": "[" * 999_999,
    "tags": "x: [" + "!!python/object:os.system a," * 35_000 + "]",
    "aliases": "name: a\nx: [" + "*a," * 330_000 + "]",
    "values": "name: a\nseeds: [" + ",".join(map(str, range(140_000))) + "]\n",
    "mistakes": "name: a\nmodels:\n" + "".join(f" m{i}: {{hubb: x}}\n" for i in range(45_000)),
    "unknown": "name: a\n" + "".join(f"namx{i}: 1\n" for i in range(70_000)),
    "entries": "name: a\nmodels:\n" + "".join(f" m{i}: {{hubb: x}}\n" for i in range(45_000)),
    "hints": asking(1_200, 6_000),
    "near": asking(100, 17_000),
    "alike": "name: a\nsizes: [" + "all," * 240_000 + "]\n",
    "product": HEAD + f"regimes: {{full: }}\nsizes: {list(range(1, 9_000))}\n"
    f"label_noise: [{','.join(f'0.{i:05}' for i in range(9_000))}]\n",
}  # fmt: skip
MEASURE = """
import json, resource, sys, time
from bench import api
from bench.errors import SuiteError
api.schemas()
used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for name in sys.argv[1:]:
    memory, begun = used(), time.process_time()
    try:
        api.load_suite(name)
    except SuiteError as error:
        print(json.dumps([name, time.process_time() - begun, used() - memory, error.problems[-1]]))
"""


def test_hostile_suites_are_one_error_with_a_line_in_a_second_and_little_memory(tmp_path: Path) -> None:
    for name, text in DEEP.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    with (tmp_path / "huge.yaml").open("wb") as file:
        file.write(b"name: a\n")
        file.truncate(100_000_000)
    names = [f"{name}.yaml" for name in (*DEEP, "huge")]
    env = {**os.environ, "PYTHONPATH": str(Path(api.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(MEASURE), *names], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [name for name, *_ in found] == names
    for name, seconds, kilobytes, problem in found:
        assert problem.split(":")[1].isdecimal(), problem
        assert len(problem) < 300
        assert seconds < 1, (name, seconds)
        assert kilobytes < 100_000, (name, kilobytes)


def suite(tmp_path: Path, **changes: str) -> Any:
    parts = {"models": "{m: a/b}", "tasks": "{t: {kind: text-classification, data: {builtin: python-docs}}}",
             "regimes": "{full: }", "sizes": "[16]", "name": "a"} | changes  # fmt: skip
    (tmp_path / "s.yaml").write_text("".join(f"{key}: {value}\n" for key, value in parts.items()))
    return api.load_suite(tmp_path / "s.yaml")


LONG = "x" * 300
WILD = ["../x", "/etc/x", "a\\0b", LONG, "a/../../b", "..", "\\e[31mx", "a\\u202eb"]


@pytest.mark.parametrize("name", [*WILD, "A", "a-smoke", ""])
def test_a_suites_name_is_one_folder_of_its_own(name: str, tmp_path: Path) -> None:
    with pytest.raises(SuiteError):
        suite(tmp_path, name=f'"{name}"')


@pytest.mark.parametrize("name", WILD)
@pytest.mark.parametrize("key", ["hub", "revision", "data", "config", "split"])
def test_names_that_lead_to_files_are_names(key: str, name: str, tmp_path: Path) -> None:
    if key == "split" and name == "..":
        name = "../.."
    data = {
        "data": f'{{hub: "{name}"}}',
        "config": f'{{hub: a/b, config: "{name}"}}',
        "split": f'{{files: {{"{name}": a.csv}}}}',
    }
    with pytest.raises(SuiteError):
        suite(
            tmp_path,
            models={"hub": f'{{m: {{hub: "{name}"}}}}', "revision": f'{{m: {{hub: a/b, revision: "{name}"}}}}'}.get(
                key, "{m: a/b}"
            ),
            tasks=f"{{t: {{kind: text-classification, data: {data.get(key, '{builtin: python-docs}')}}}}}",
        )


@pytest.mark.parametrize("name", ["\\e[31mx", "a\\u202eb", "a\\0b", LONG, "a\\nb", " "])
@pytest.mark.parametrize("axis", ["models", "tasks", "regimes"])
def test_names_of_entries_are_short_and_printable(axis: str, name: str, tmp_path: Path) -> None:
    entry = {
        "models": "a/b",
        "tasks": "{kind: text-classification, data: {builtin: python-docs}}",
        "regimes": "{regime: full}",
    }
    with pytest.raises(SuiteError):
        suite(tmp_path, **{axis: f'{{"{name}": {entry[axis]}}}'})


def test_entries_that_differ_in_case_or_look_like_paths_stay_apart(tmp_path: Path) -> None:
    """Names of models, tasks and regimes are no part of any path; ids are hashes."""
    task = "{kind: text-classification, data: {builtin: python-docs}"
    loaded = suite(
        tmp_path, models="{../x: a/b, ../X: a/c, /etc/x: a/d}",
        regimes='{"../r": {regime: full}, "../R": {regime: retrain}}',
        tasks=f"{{t: {task}}}, T: {task}, max_length: 8}}}}",
    )  # fmt: skip
    cells = api.plan(loaded, tmp_path / "results").cells
    assert len({(c.names.model, c.names.task, c.names.regime) for c in cells}) == 12
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.yaml"]


def test_many_trials_are_counted_and_asked_about(tmp_path: Path) -> None:
    many = suite(tmp_path, seeds="[" + ",".join(map(str, range(10_001))) + "]", tuning="null")
    for call in (api.plan, api.run):
        begun = time.monotonic()
        with pytest.raises(UsageError, match=r"suite a: up to 10,001 trials; add --yes"):
            call(many, tmp_path / "results")
        assert time.monotonic() - begun < 0.5
    assert not (tmp_path / "results").exists()
    assert api.plan(many, tmp_path / "results", yes=True).cells
    assert api.plan(many, tmp_path / "results", smoke=True).cells


# Data


def png(width: int, height: int) -> bytes:
    """A PNG of one colour, as small as it can be."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    packer, packed = zlib.compressobj(9), b""
    for _ in range(height):
        packed += packer.compress(bytes(1 + (width + 7) // 8))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed + packer.flush()) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [9_000, 20_000])
def test_a_small_file_that_is_a_huge_image(side: int, tmp_path: Path) -> None:
    small, bomb = png(4, 4), png(side, side)
    assert len(bomb) < 200_000
    for name, content in {"a/1.png": small, "b/2.png": bomb}.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError, match=r"2\.png: the image has .*pixels, and at most 67,108,864"):
        folder.lock(folder.Parameters(folder=tmp_path))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


@pytest.mark.parametrize(
    ("kept", "problem"),
    [
        ({"bytes": png(9_000, 9_000), "path": None}, "row 2: the image has 81,000,000 pixels"),
        ({"bytes": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "path": None}, "row 2: is no"),
        ({"bytes": b"", "path": None}, "row 2: is no"),
        ({"bytes": png(8, 8)[:-30], "path": None}, "row 2: is no"),
        ({"bytes": None, "path": "http://127.0.0.1:9/x.png"}, "row 2: the image is said to be at"),
        (None, "row 2: the image is missing"),
    ],
)
def test_a_bad_image_in_a_column_is_named_by_its_row(kept: Any, problem: str, tmp_path: Path) -> None:
    import datasets

    from bench.tasks.image_classification import ImageClassification

    small = {"bytes": png(4, 4), "path": None}
    values = {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}
    rows = datasets.Dataset.from_dict(
        {"image": [small, small, kept, small], "label": ["a", "b", "a", "b"]},
        datasets.Features({"image": values, "label": datasets.Value("string")}),
    ).cast_column("image", datasets.Image())
    found = ImageClassification().examples(
        rows, {"image": "image", "label": "label"}, ImageClassification.Parameters(labels=("a", "b")), "t"
    )
    assert found.inputs[0].size == (4, 4)
    with pytest.raises(DataError, match=problem):
        list(found.inputs)


def packed(kind: str, path: Path, size: int) -> None:
    """A file that unpacks to `size` zeros."""
    zeros = bytes(size)
    if kind in ("gz", "bz2", "xz"):
        opener: Any = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open}[kind]
        with opener(path, "wb") as file:
            file.write(zeros)
    elif kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.csv", zeros)
    elif kind == "tar.gz":
        with tarfile.open(path, "w:gz") as tar:
            info = tarfile.TarInfo("a.csv")
            info.size = size
            tar.addfile(info, io.BytesIO(zeros))
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        text = pa.DictionaryArray.from_arrays(pa.array([0] * 1000, pa.int32()), pa.array(["x" * (size // 1000)]))
        pq.write_table(pa.table({"text": text, "label": [0] * 1000}), path, store_schema=False)


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zip", "tar.gz", "parquet"])
def test_what_unpacks_to_far_more_than_it_is(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompression_limits, "FREE_BYTES", 2**20)
    packed(kind, tmp_path / f"bomb.{kind}", 40 * 2**20)
    assert (tmp_path / f"bomb.{kind}").stat().st_size < 200_000
    with pytest.raises(DataError, match=r"bomb\..*: unpacks to more than .* MiB from"):
        decompression_limits.check_file(tmp_path / f"bomb.{kind}", f"bomb.{kind}")
    packed(kind, tmp_path / f"fine.{kind}", 1000)
    decompression_limits.check_file(tmp_path / f"fine.{kind}", "fine")


def test_a_local_parquet_bomb_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompression_limits, "FREE_BYTES", 2**20)
    packed("parquet", tmp_path / "a.parquet", 40 * 2**20)
    with pytest.raises(DataError, match=r"a\.parquet: unpacks to more than"):
        files.lock(files.Parameters(files=tmp_path / "a.parquet"))


def test_only_plain_formats_are_taken_for_images() -> None:
    """Pillow would have another program run what an EPS says."""
    from PIL import Image

    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n%%EOF\n"
    with Image.open(io.BytesIO(eps)) as image:
        assert image.format == "EPS"
    with pytest.raises(DataError, match=r"is no (readable )?image"):
        decompression_limits.check_image(io.BytesIO(eps), "x")


def test_damaged_archives_are_data_errors(tmp_path: Path) -> None:
    for kind in ("gz", "xz", "bz2"):
        packed(kind, tmp_path / f"a.{kind}", 100_000)
        whole = (tmp_path / f"a.{kind}").read_bytes()
        (tmp_path / f"a.{kind}").write_bytes(whole[:-12])
        with pytest.raises(DataError, match="cannot be unpacked"):
            decompression_limits.check_file(tmp_path / f"a.{kind}", "a")


STRANGE = """
import bench.hub.client, json
bench.hub.client.WAITS = ()
from bench import plugins
from bench.data import decompression_limits
from bench.errors import BenchError
from bench.data.images import Pictures
decompression_limits.FREE_BYTES = 2**20
for kind, name in {cases!r}:
    plugin = plugins.load(kind, "hub")
    try:
        parameters = plugin.Parameters(hub=name)
        found = plugin.fetch(parameters, plugin.lock(parameters)["fingerprint"])
        if "image" in found["train"].features:
            found = [picture.size for picture in Pictures(found["train"], "image", f"'{{name}}' at")]
        print(json.dumps([name, "ok", str(found)]))
    except BenchError as error:
        print(json.dumps([name, type(error).__name__, str(error)]))
"""


@pytest.mark.hub
def test_strange_repositories_of_the_hub(
    hub_env: dict[str, str], serve_hub: Callable[..., str], python: Callable[..., str], tmp_path: Path
) -> None:
    mark, root = tmp_path / "ran", tmp_path / "hub"
    (tmp_path / "secret.csv").write_text("text,label\nsecret,1\n")
    script = f"import os\nos.mkdir({str(mark)!r})\n"
    card = "---\nconfigs:\n- config_name: default\n  data_files: {}\n---\n"
    repositories: dict[str, dict[str, str | bytes]] = {
        "me/script": {"script.py": script, "train.csv": "text,label\nx,1\n"},
        "me/only-script": {"only-script.py": script},
        "me/pickle": {"train.pkl": pickle.dumps(Bomb(mark)), "train.csv": "text,label\nx,1\n"},
        "me/only-pickle": {"train.pkl": pickle.dumps(Bomb(mark))},
        "me/elsewhere": {"README.md": card.format(tmp_path / "secret.csv"), "train.csv": "text,label\nx,1\n"},
        "me/upwards": {"README.md": card.format("../../../secret.csv"), "train.csv": "text,label\nx,1\n"},
        "me/address": {"README.md": card.format("http://127.0.0.1:9/x.csv"), "train.csv": "text,label\nx,1\n"},
        "me/tar": {"a.tar": b"", "README.md": card.format("a.tar")},
        "me/gz": {"train.csv.gz": gzip.compress(b"text,label\nx,1\n" * 10)},
        "me/bomb": {"train.csv.gz": gzip.compress(b"text,label\n" + b"x,1\n" * 2**21)},
    }
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))
    for name, side in (("zipped", 8), ("zipped-bomb", 9000)):
        pictures = io.BytesIO()
        with zipfile.ZipFile(pictures, "w") as images:
            for place, content in {"a/1.png": png(4, 4), "b/2.png": png(side, side)}.items():
                images.writestr(place, content)
        plain = card.format("train.zip\n  drop_labels: true")
        repositories[f"me/{name}"] = {"train.zip": pictures.getvalue(), "README.md": plain}
    repositories["me/tar"]["a.tar"] = (tmp_path / "a.tar").read_bytes()
    for name, contents in repositories.items():
        (root / "datasets" / name).mkdir(parents=True)
        for file, content in contents.items():
            (root / "datasets" / name / file).write_bytes(content.encode() if isinstance(content, str) else content)
    found = python(
        STRANGE.format(cases=[("data_sources", name) for name in repositories]),
        {**hub_env, "HF_ENDPOINT": serve_hub(root=root)},
    )
    outcomes = {name: (kind, text) for name, kind, text in map(json.loads, found.splitlines())}
    for name, problem in {
        "me/bomb": "train.csv.gz: unpacks to more than",
        "me/zipped-bomb": "row 1: the image has 81,000,000 pixels",
        "me/elsewhere": "",
        "me/address": "",
        "me/upwards": "",
        "me/tar": "",
        "me/only-pickle": "",
        "me/only-script": "",
    }.items():
        assert outcomes[name][0] in ("DataError", "HubError"), (name, outcomes[name])
        assert problem in outcomes[name][1], (name, outcomes[name])
        assert f"'{name}' at" in outcomes[name][1]
        assert "\n" not in outcomes[name][1]
    assert {name for name, (kind, _) in outcomes.items() if kind == "ok"} == {"me/pickle", "me/gz", "me/zipped"}
    assert outcomes["me/zipped"][1] == "[(4, 4), (8, 8)]"
    assert not mark.exists()


def test_a_card_names_only_files_of_its_own_data_set() -> None:
    """Newer versions of `datasets` refuse others by themselves."""
    from bench.data_sources.hub import _refuse_strange

    class Csv:
        __module__ = "datasets.packaged_modules.csv.csv"

        def __init__(self, *files: str) -> None:
            self.config = SimpleNamespace(data_files={"train": files})

    _refuse_strange(Csv("hf://datasets/a/b@1/x.csv"), "p", "hf://datasets/a/b@1/")
    for file in (
        "/etc/passwd",
        "http://x/y.csv",
        "hf://datasets/a/c@1/x.csv",
        "zip://x.csv::hf://datasets/a/b@1/z.zip",
    ):
        with pytest.raises(DataError, match="its card names"):
            _refuse_strange(Csv(file), "p", "hf://datasets/a/b@1/")


# Secrets


@pytest.mark.parametrize(
    ("name", "value", "text", "shown"),
    [
        ("HF_TOKEN", "abc123secret", "401 for abc123secret!", "401 for [secret]!"),
        ("MY_API_KEY", "p@ss/w rd", "x p%40ss%2Fw%20rd, p@ss/w rd", "x [secret], [secret]"),
        ("DB_PASSWORD", "hunter22", "login hunter22 failed", "login [secret] failed"),
        ("AWS_SECRET_ACCESS_KEY", "/a+b/c0123456789", "k=/a+b/c0123456789", "k=[secret]"),
        ("SSH_KEY", "-----BEGIN\nMIIEabcdefgh\nQRSTuvwxyz12\n-----END", "at QRSTuvwxyz12 and", "at [secret] and"),
        ("GOOGLE_CREDENTIALS", '{"k":  "v1"}\n', 'has {"k": "v1"} in', "has [secret] in"),
        ("SOME_TOKEN", "1", "seed 1, 10 trials", None),
        ("USE_TOKEN", "true", "it is true", None),
        ("SHORT_KEY", "abc", "abcdef", None),
        ("MAX_TOKENS", "100000", "100000 tokens", None),
        ("TOKEN_DIR", "/usr/lib", "/usr/lib/x.so", None),
        ("HOME_OF", "abc123secret", "abc123secret", None),
        ("X", "", "https://me:pw@host/x?a=1", "https://[secret]@host/x?a=1"),
        ("X", "", "http://h/x?token=abc&b=1 end", "http://h/x?token=[secret]&b=1 end"),
        (
            "X",
            "",
            "https://s3/x?X-Amz-Signature=0a1b&X-Amz-Date=2",
            "https://s3/x?X-Amz-Signature=[secret]&X-Amz-Date=2",
        ),
        ("X", "", "token hf_AbCdEfGhIjKlMnOpQrStUvWxYz012345 is bad", "token [secret] is bad"),
        ("X", "", "Authorization: Bearer abcdefghijklmnopqrst.uv", "Authorization: Bearer [secret]"),
        ("X", "", "hf://datasets/a/b@0123/x.csv, hf_model, a@b.c, key=1", None),
    ],
)
def test_secrets_leave_texts_and_nothing_else_does(
    name: str, value: str, text: str, shown: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert redact(text) == (text if shown is None else shown)
    assert redact(redact(text)) == redact(text)
    record = {"cause": [text, 1, 1.5, None, True], "n": 100000, "log": {"tail": text}}
    kept = redact_all(record)
    assert kept == {"cause": [redact(text), 1, 1.5, None, True], "n": 100000, "log": {"tail": redact(text)}}


def test_a_message_of_the_command_line_holds_no_secret(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(Path(api.__file__).parents[1]), "MY_TOKEN": "tops3cret"}
    command = [sys.executable, "-c", "from bench.cli import main; main(prog_name='bench')"]
    for arguments in (["plan", "tops3cret.yaml"], ["status", "tops3cret"], ["report", "hf_0123456789abcdef01"]):
        done = subprocess.run([*command, *arguments], cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 2
        assert "[secret]" in done.stderr
        assert "tops3cret" not in done.stderr
        assert "hf_0123" not in done.stderr


def test_an_environment_record_holds_nothing_of_the_environments_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from bench.probes.environment import describe

    before = describe(torch.device("cpu"), 1, "fp32")
    monkeypatch.setattr(os, "environ", {"A_TOKEN": "tops3cret"})
    assert describe(torch.device("cpu"), 1, "fp32") == before
