"""Models whose files are not what they are taken for: refused when a suite is locked, and again in a trial."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
import transformers
from rows import Row
from safetensors.torch import load_file, save_file
from tiny_models import bytes_bpe, ending_bpe, tiny_bert, tiny_causal, tiny_image, tiny_seq2seq
from tiny_tasks import adapt, image_task, order, text_task, trial, write_images, write_texts

from bench import api
from bench.data.images import Pictures
from bench.data_sources.files import FileData
from bench.data_sources.folder import FolderData
from bench.errors import DataError, ModelError
from bench.hub import checksums
from bench.planning import lock
from bench.store.cache import root
from bench.suite.trial import Json
from bench.trial import run, task_data, unknown_tokens
from bench.trial.prepare import prepare

files, data_folder = FileData(), FolderData()
TEXT = "kind: text-classification, data: {files: a.csv}, splits: {test: 0.5}"
KINDS = {
    "text": TEXT,
    "image": "kind: image-classification, data: {folder: images}",
    "write": "kind: text-generation, data: {files: a.csv}, splits: {test: 0.5}, columns: {prompt: text, answer: label}",
    "read": "kind: language-modeling, data: {files: a.csv}, splits: {test: 0.5}",
}


def locked(folder: Path, kind: str = "text", regimes: str = "{full: }", more: str = "") -> Json:
    """What locking a suite makes of the model in `folder/m`."""
    write_texts(folder / "a.csv", 8, 0)
    model = f"{{folder: m{more}}}"
    suite = f"models: {{m: {model}}}\ntasks: {{t: {{{KINDS[kind]}}}}}\nregimes: {regimes}\n"
    (folder / "s.yaml").write_text(f"name: s\nsizes: [all]\n{suite}")
    loaded = api.load_suite(folder / "s.yaml")
    orders = lock.orders(loaded, lock.read(folder))
    return prepare(next(order for section, _, _, order in orders if section == "models"))


def weights(model: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Rewrite the model's weights."""
    save_file(change(load_file(model / "model.safetensors")), model / "model.safetensors", {"format": "pt"})


def configured(model: Path, **changes: Any) -> None:
    """Change the model's config.json."""
    path = model / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def one_line(error: pytest.ExceptionInfo[ModelError]) -> str:
    said = str(error.value)
    assert "\n" not in said
    assert len(said) < 800
    return said


@pytest.mark.fault(Row.WEIGHTS)
@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda w: {f"model.{k}": v for k, v in w.items()}, "embeddings.word_embeddings.weight, embeddings.position"),
        (lambda w: {k: v for k, v in w.items() if "layer.1" not in k}, "encoder.layer.1.attention.self.query.weight, "),
        (
            lambda w: {k: v for k, v in w.items() if "layer.1.output.dense.bias" not in k},
            "of encoder.layer.1.output.dense.bias, so",
        ),
    ],
)
def test_weights_that_are_not_there(
    tmp_path: Path, change: Callable[[dict[str, Any]], dict[str, Any]], named: str
) -> None:
    tiny_bert("BertModel", tmp_path / "m")
    weights(tmp_path / "m", change)
    with pytest.raises(ModelError, match=r"^model m: .*lack the weights of .*allow_missing") as error:
        locked(tmp_path)
    assert named in one_line(error)
    for regime in ("full", "linear-probe"):
        with pytest.raises(ModelError, match="lack the weights of"):
            adapt(trial(tmp_path / "m", text_task(tmp_path), regime), tmp_path)


@pytest.mark.fault(Row.WEIGHTS)
def test_a_config_that_asks_for_more(tmp_path: Path) -> None:
    tiny_bert("BertForMaskedLM", tmp_path / "m")
    configured(tmp_path / "m", num_hidden_layers=4)
    with pytest.raises(ModelError, match=r"encoder\.layer\.2\.attention.* and 29 more"):
        locked(tmp_path)
    configured(tmp_path / "m", num_hidden_layers=2, intermediate_size=48)
    with pytest.raises(ModelError, match=r"intermediate\.dense\.weight \(\[32, 16\] in the files, \[48, 16\] by conf"):
        locked(tmp_path)


@pytest.mark.fault(Row.WEIGHTS)
def test_half_of_the_shards(tmp_path: Path) -> None:
    model, _ = tiny_bert("BertModel", tmp_path / "m")
    (tmp_path / "m/model.safetensors").unlink()
    model.save_pretrained(tmp_path / "m", max_shard_size="12kB")
    first, second, *_ = sorted((tmp_path / "m").glob("*.safetensors"))
    assert locked(tmp_path)
    second.unlink()
    with pytest.raises(ModelError, match=second.name):
        locked(tmp_path)
    index = tmp_path / "m/model.safetensors.index.json"
    found = json.loads(index.read_text())
    found["weight_map"] = {name: file for name, file in found["weight_map"].items() if file == first.name}
    index.write_text(json.dumps(found))
    with pytest.raises(ModelError, match="lack the weights of"):
        locked(tmp_path)


@pytest.mark.fault(Row.WEIGHTS)
@pytest.mark.parametrize(
    ("build", "kind", "regimes", "part"),
    [
        (lambda to: tiny_causal("llama", to), "write", "{zero-shot: }", "lm_head"),
        (lambda to: tiny_causal("llama", to), "read", "{full: }", "lm_head"),
        (lambda to: tiny_causal("llama", to), "text", "{few-shot: {way: likelihood}}", "lm_head"),
        (lambda to: tiny_bert("BertForMaskedLM", to), "text", "{zero-shot: }", "cls"),
        (lambda to: tiny_bert("BertForSequenceClassification", to), "text", "{zero-shot: }", "classifier"),
    ],
)
def test_heads_that_are_asked(tmp_path: Path, build: Callable[[Path], Any], kind: str, regimes: str, part: str) -> None:
    build(tmp_path / "m")
    assert locked(tmp_path, kind, regimes)
    weights(tmp_path / "m", lambda w: {k: v for k, v in w.items() if not k.startswith(part)})
    with pytest.raises(ModelError, match=rf"lack the weights of {part}\."):
        locked(tmp_path, kind, regimes)
    assert locked(tmp_path, kind, regimes, f", allow_missing: ['{part}*']")["fingerprint"]
    if kind == "text":
        assert locked(tmp_path, kind, "{full: }")  # a head of its own is trained


def test_what_files_may_leave_out(tmp_path: Path) -> None:
    for name in ("t5", "bart", "marian", "mbart"):
        shutil.rmtree(tmp_path / "m", ignore_errors=True)
        tiny_seq2seq(name, tmp_path / "m")
        assert locked(tmp_path, "write")
        assert locked(tmp_path, "text")  # its encoder alone
    shutil.rmtree(tmp_path / "m")
    model, _ = tiny_seq2seq("t5", tmp_path / "other")
    ending_bpe(tmp_path / "m")
    encoder = transformers.T5EncoderModel(model.config)
    encoder.save_pretrained(tmp_path / "m")
    configured(tmp_path / "m", is_encoder_decoder=True)  # as sentence-t5 has it
    assert locked(tmp_path, "text")
    write_images(tmp_path / "images", 4)
    for name in ("vit", "resnet"):
        shutil.rmtree(tmp_path / "m")
        tiny_image(name, tmp_path / "m")
        assert locked(tmp_path, "image")


def test_a_pooler_counts_where_it_is_used(tmp_path: Path) -> None:
    tiny_bert("BertForMaskedLM", tmp_path / "m")
    assert locked(tmp_path)
    with pytest.raises(ModelError, match=r"lack the weights of pooler\.dense"):
        locked(tmp_path, more=", pooling: pooler")
    assert locked(tmp_path, more=", pooling: pooler, allow_missing: [pooler.dense.*]")


def test_what_is_allowed_is_part_of_a_trial_only_where_something_is() -> None:
    from bench.model_sources.folder import FolderModelParameters

    plain, allowed = (FolderModelParameters(folder=Path("m"), allow_missing=names) for names in ((), ("head.*",)))
    assert lock.split(plain)[0] == {"pooling": None, "dtype": "float32"}
    assert lock.split(allowed)[0]["allow_missing"] == ["head.*"]


class Payload:
    def __reduce__(self) -> Any:
        return print, ("code ran",)


def truncated(model: Path) -> None:
    path = model / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def pickled(model: Path) -> None:
    (model / "model.safetensors").unlink()
    torch.save({"a": Payload()}, model / "pytorch_model.bin", pickle_module=pickle)


def small(model: Path) -> None:
    weights(
        model, lambda w: w | {"embeddings.word_embeddings.weight": w["embeddings.word_embeddings.weight"][:50].clone()}
    )
    configured(model, vocab_size=50)


def deep(model: Path) -> None:
    (model / "config.json").write_text('{"a":' * 20000 + "1" + "}" * 20000)


def no_tokenizer(model: Path) -> None:
    for path in model.glob("tokenizer*"):
        path.unlink()


@pytest.mark.fault(Row.LOCKED_MODEL)
@pytest.mark.parametrize(
    ("breaks", "said"),
    [
        (truncated, "transformers cannot build this model: SafetensorError"),
        (pickled, "its pickled weights hold more than tensors"),
        (
            small,
            r"its tokenizer has a token '.*' of number 50, and the model has embeddings for 50; \d+ tokens have none",
        ),
        (lambda m: configured(m, model_type="brt"), "brt"),
        (lambda m: configured(m, hidden_size="wide"), "hidden_size"),
        (lambda m: configured(m, num_attention_heads=0), "transformers cannot build this model"),
        (deep, "config.json"),
        (no_tokenizer, "its tokenizer knows no word"),
    ],
)
def test_broken_models_are_refused_when_they_are_locked(
    tmp_path: Path, breaks: Callable[[Path], None], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    tiny_bert("BertModel", tmp_path / "m")
    breaks(tmp_path / "m")
    with pytest.raises(ModelError, match=said) as error:
        locked(tmp_path)
    one_line(error)
    assert "code ran" not in capfd.readouterr().out


@pytest.mark.fault(Row.MODEL_CHANGED)
@pytest.mark.parametrize(("regime", "stage"), [("full", "load"), ("full", "train"), ("linear-probe", "features")])
def test_a_model_rewritten_in_mid_run(tmp_path: Path, regime: str, stage: str) -> None:
    tiny_bert("BertModel", tmp_path / "m")
    shutil.copytree(tmp_path / "m", tmp_path / "kept")
    asked = trial(tmp_path / "m", text_task(tmp_path), regime)

    def rewrite(now: str, done: int, total: int | None) -> None:
        if now == stage:
            weights(tmp_path / "m", lambda w: {k: v * 2 for k, v in w.items()})

    def score(tick: Any) -> Json:
        record: Json = {}
        attempt = f"a-{len(list(tmp_path.glob('results/artifacts/*/*'))):05}"
        run.run(order(asked, tmp_path / "results", attempt), torch.device("cpu"), 1, tick, record)
        return record["scores"]

    with pytest.raises(ModelError, match=r"files have changed since they were locked; put them back and run again"):
        score(rewrite)
    with pytest.raises(ModelError, match="changed"):
        score(lambda *_: None)
    shutil.rmtree(tmp_path / "m")
    shutil.copytree(tmp_path / "kept", tmp_path / "m")
    again = score(lambda *_: None)
    shutil.rmtree(root())
    assert score(lambda *_: None) == again  # nothing of the other weights was kept


def test_what_has_not_changed_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, read = tmp_path / "a", []
    real = checksums._sha256
    monkeypatch.setattr(checksums, "_sha256", lambda path: read.append(path) or real(path))
    file.write_text("one")
    first = [checksums.hashed(file) for _ in range(2)]
    assert len(read) == 2  # only just written
    monkeypatch.setattr(checksums, "SETTLED", -1e9)
    assert [checksums.hashed(file) for _ in range(2)] == first
    assert len(read) == 3
    file.write_text("two")
    assert checksums.hashed(file) != first[0]


def deep_images(folder: Path, dtype: str) -> Path:
    """Two classes, told apart by values of which all are above 255."""
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        for name, low in (("dark", 1000), ("light", 30000)):
            (folder / split / name).mkdir(parents=True)
            for number in range(12):
                pixels = random.integers(low, low + 20000, (16, 16)).astype(dtype)
                PIL.Image.fromarray(pixels).save(
                    folder / split / name / f"{number}.{'png' if dtype == 'uint16' else 'tiff'}"
                )
    return folder


@pytest.mark.fault(Row.DEEP_IMAGE)
def test_images_of_sixteen_bits_are_scaled(tmp_path: Path) -> None:
    tiny_image("vit", tmp_path / "m")
    task = image_task(tmp_path / "plain")[0]
    location = {"folder": str(deep_images(tmp_path / "images", "uint16"))}
    task["data"]["fingerprint"] = data_folder.lock(data_folder.Parameters(folder=tmp_path / "images"))["fingerprint"]
    asked = trial(tmp_path / "m", (task, location), "linear-probe", size=16)
    record: Json = {}
    run.run(order(asked, tmp_path / "results"), torch.device("cpu"), 1, lambda *_: None, record)
    assert record["scores"]["test"]["accuracy"] == 1.0
    said = "48 images of 16 bits a pixel were scaled to 8, by 65,535 to 255"
    assert said in task_data.load(task, location, {}).summary["remarks"]


@pytest.mark.fault(Row.DEEP_IMAGE)
@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_images_of_thirty_two_bits_are_refused(tmp_path: Path, dtype: str) -> None:
    splits = data_folder.fetch(
        found := data_folder.Parameters(folder=deep_images(tmp_path / "images", dtype)), data_folder.fingerprint(found)
    )
    pictures = Pictures(splits["train"], "image", "task t, split train")
    with pytest.raises(DataError, match=r"^task t, split train, row 3: .* mode [IF], and nobody knows"):
        pictures[3]


@pytest.mark.fault(Row.LOCKED_MODEL)
def test_unknown_words_are_remarked(tmp_path: Path) -> None:
    _, tokenizer = tiny_bert("BertModel", tmp_path / "m")
    assert unknown_tokens.share(tokenizer, ["the film", "the Film"]) == 0
    assert unknown_tokens.share(tokenizer, ["the 电影 film"]) == 0.5
    assert unknown_tokens.share(tokenizer, []) == 0
    assert unknown_tokens.share(bytes_bpe(tmp_path / "b"), ["the 电影 film"]) == 0
    record: Json = {}
    spec, location = text_task(tmp_path)
    rows = (tmp_path / "test.csv").read_text().replace("film", "电影").replace("plot", "戏").replace("the", "了")
    (tmp_path / "test.csv").write_text(rows, encoding="utf-8")
    spec["data"]["fingerprint"] = files.fingerprint(files.Parameters.model_validate(location))
    asked = trial(tmp_path / "m", (spec, location), "linear-probe")
    run.run(order(asked, tmp_path / "results"), torch.device("cpu"), 1, lambda *_: None, record)
    assert any(
        "of the tokens of the test texts are unknown to the model's" in note for note in record["facts"]["notes"]
    )
