"""Models that are kept answer in plain transformers, and PEFT, as they did in their trials."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import peft
import PIL.Image
import pytest
import torch
import transformers
from click.testing import CliRunner
from factory import Factory
from safetensors.torch import load_file
from test_timm import hub
from tiny_masks import LABELS, mask_task, scenes, tiny_segmenter
from tiny_models import tiny_bert, tiny_image, tiny_roberta, tiny_seq2seq
from tiny_networks import functions, network
from tiny_tasks import adapt, image_task, order, text_task, trial, write_images
from torchmetrics import JaccardIndex
from torchvision.transforms import functional

from bench import plugins
from bench.analysis import frame
from bench.analysis.best_trials import choose
from bench.cli import main
from bench.errors import NotApplicable
from bench.suite.trial import Json, Trial
from bench.trial import keep_model

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # PEFT asks transformers so
STEPS = {"steps": 6}


def kept(one: Trial, folder: Path) -> tuple[Path, Json]:
    """The folder of a trial's model, and what was told of it."""
    given = {**order(one, folder / "r"), "target": "m", "about": {"recorded": 0.5}, "checkpoint": None}
    told = keep_model.keep(given, torch.device("cpu"), 1, lambda stage, done, total: None)
    return folder / "r/models/m", told


def rows(path: Path) -> tuple[list[str], list[str]]:
    with path.open() as file:
        found = list(csv.DictReader(file))
    return [row["text"] for row in found], [row["label"] for row in found]


def answered(folder: Path, auto: Any, texts: list[str]) -> list[str]:
    """The labels that the kept model gives, by transformers alone."""
    model = auto.from_pretrained(folder, trust_remote_code=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        logits = model(**tokenizer(texts, padding=True, truncation=True, return_tensors="pt")).logits
    return [model.config.id2label[n] for n in logits.argmax(dim=-1).tolist()]


def bert(folder: Path) -> Any:
    return tiny_bert("BertForMaskedLM", folder)


@pytest.mark.parametrize(
    ("make", "regime", "own"),
    [(bert, "full", {}), (bert, "lora", {"r": 2}), (tiny_roberta, "retrain", {}), (bert, "linear-probe", {})],
)
def test_a_classifier_reproduces_its_score(make: Any, regime: str, own: Json, tmp_path: Path) -> None:
    make(tmp_path / "model")
    task = text_task(tmp_path)
    one = trial(tmp_path / "model", task, regime, own, budget=STEPS)
    folder, told = kept(one, tmp_path)
    assert told["auto"] == "AutoModelForSequenceClassification"
    texts, labels = rows(Path(task[1]["files"]["test"]))
    found = answered(folder, transformers.AutoModelForSequenceClassification, texts)
    assert np.mean([a == b for a, b in zip(found, labels, strict=True)]) == pytest.approx(told["score"])
    assert json.loads((folder / "config.json").read_text())["id2label"] == {"0": "good", "1": "bad"}
    assert json.loads((folder / "kept.json").read_text())["score"] == told["score"]
    assert str(tmp_path) not in "".join(p.read_text() for p in folder.rglob("*.json"))
    if regime == "lora":
        base = transformers.AutoModel.from_pretrained(tmp_path / "model")
        with_adapter = peft.PeftModel.from_pretrained(base, folder / "adapter").merge_and_unload().eval()
        whole = transformers.AutoModel.from_pretrained(folder, trust_remote_code=True).backbone
        ids = torch.arange(5, 12)[None]
        torch.testing.assert_close(with_adapter(ids).last_hidden_state, whole(ids).last_hidden_state)


@pytest.mark.parametrize("family", ["vit", "resnet"])
def test_an_image_classifier_reproduces_its_score(family: str, tmp_path: Path) -> None:
    tiny_image(family, tmp_path / "model")
    task = image_task(tmp_path)
    folder, told = kept(trial(tmp_path / "model", task, "full", budget=STEPS), tmp_path)
    assert image_score(folder, Path(task[1]["folder"])) == pytest.approx(told["score"])


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_a_model_of_timms_reproduces_its_score(name: str, tmp_path: Path) -> None:
    hub(name, tmp_path / "model")
    task = image_task(tmp_path)
    folder, told = kept(trial(tmp_path / "model", task, "full", budget=STEPS), tmp_path)
    processor = transformers.TimmWrapperImageProcessor.from_pretrained(folder)
    assert image_score(folder, Path(task[1]["folder"]), processor) == pytest.approx(told["score"])


@pytest.mark.parametrize("regime", ["full", "lora"])
def test_a_network_of_ones_own_is_kept_by_its_own_names(regime: str, tmp_path: Path) -> None:
    model, task = network(tmp_path / "own"), image_task(tmp_path)
    folder, told = kept(trial(model, task, regime, {"r": 2} if regime == "lora" else {}, budget=STEPS), tmp_path)
    net = functions()["net"]()
    net.load_state_dict(load_file(folder / "model.safetensors"))
    seen, right = model[1]["input"], []
    for path in sorted(Path(task[1]["folder"]).glob("test/*/*.png")):
        pixels = functional.normalize(functional.to_tensor(PIL.Image.open(path)), seen["mean"], seen["std"])
        with torch.inference_mode():
            right.append(["dark", "light"][int(net.eval()(pixels[None]).argmax())] == path.parent.name)
    assert np.mean(right) == pytest.approx(told["score"])
    assert json.loads((folder / "network.json").read_text())["head"] == "fc"
    again = {**model[1], "weights": str(folder / "model.safetensors")}
    assert trial((model[0], again), task, "full").model["fingerprint"]  # it can be taken from there


@pytest.mark.parametrize(("family", "regime"), [("segformer", "lora"), ("deeplab", "head")])
def test_a_segmenter_reproduces_its_score(family: str, regime: str, tmp_path: Path) -> None:
    tiny_segmenter(family, tmp_path / "model", LABELS)
    own = {"r": 2} if regime == "lora" else {}
    task = mask_task(tmp_path, size=[24, 32])
    folder, told = kept(trial(tmp_path / "model", task, regime, own, budget=STEPS), tmp_path)
    model = transformers.AutoModelForSemanticSegmentation.from_pretrained(folder)
    assert [model.config.id2label[n] for n in range(3)] == LABELS
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    score = JaccardIndex(task="multiclass", num_classes=3, ignore_index=255, average="macro")
    for row in scenes(8, 1):
        with torch.inference_mode():
            output = model(**processor(row["image"], return_tensors="pt"))
        shape = row["image"].size[::-1]
        answer = processor.post_process_semantic_segmentation(output, target_sizes=[shape])[0]
        score.update(answer[None], torch.from_numpy(np.array(row["mask"])).long()[None])
    assert float(score.compute()) == pytest.approx(told["score"], abs=2e-3)


def image_score(folder: Path, images: Path, processor: Any = None) -> float:
    """The accuracy of a kept model on the test split, by transformers alone."""
    model = transformers.AutoModelForImageClassification.from_pretrained(folder, trust_remote_code=True)
    processor = processor or transformers.AutoImageProcessor.from_pretrained(folder)
    right = []
    for path in sorted(images.glob("test/*/*.png")):
        with torch.inference_mode():
            logits = model(**processor(PIL.Image.open(path).convert("RGB"), return_tensors="pt")).logits
        right.append(model.config.id2label[int(logits.argmax())] == path.parent.name)
    return float(np.mean(right))


def test_tags_numbers_and_texts(tmp_path: Path) -> None:
    tiny_bert("BertForMaskedLM", tmp_path / "bert")
    tiny_seq2seq("t5", tmp_path / "t5")
    lines = [{"tokens": ["the", "film", "dull"], "tags": ["O", "B-X", "O"]}, {"tokens": ["good"], "tags": ["O"]}]
    tags = _task("token-classification", tmp_path / "tags", lines * 20, labels=["O", "B-X"], max_length=16)
    folder, told = kept(trial(tmp_path / "bert", tags, "full", budget=STEPS), tmp_path / "a")
    model = transformers.AutoModelForTokenClassification.from_pretrained(folder, trust_remote_code=True)
    assert (told["auto"], model.config.num_labels) == ("AutoModelForTokenClassification", 2)

    lines = [{"text": f"the film {'good ' * (n % 5)}", "value": 10.0 + n % 5} for n in range(40)]
    values = _task("text-regression", tmp_path / "values", lines, max_length=16)
    folder, told = kept(trial(tmp_path / "bert", values, "full", budget=STEPS), tmp_path / "b")
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=True)
    ids = transformers.AutoTokenizer.from_pretrained(folder)("the film good", return_tensors="pt")
    assert model.config.problem_type == "regression"
    assert 5 < model(**ids).logits.item() < 20  # in the values' own unit

    lines = [{"source": "the film", "target": "a good joy"}] * 20
    texts = _task("translation", tmp_path / "texts", lines, max_source=16, max_target=8, decoding={"max_new_tokens": 8})
    folder, told = kept(trial(tmp_path / "t5", texts, "full", budget=STEPS), tmp_path / "c")
    assert told["auto"] == "AutoModelForSeq2SeqLM"
    transformers.AutoModelForSeq2SeqLM.from_pretrained(folder)
    assert not (folder / "adapted.py").exists()


def _task(kind: str, folder: Path, lines: list[Json], **own: Any) -> tuple[Json, Json]:
    folder.mkdir()
    files = {}
    for split in ("train", "test"):
        path = folder / f"{split}.jsonl"
        changed = [{**one, "n": f"{split} {n}"} for n, one in enumerate(lines)]
        if split == "test":
            changed = [{**one, **{k: _other(v) for k, v in one.items() if k in ("text", "source", "tokens")}}
                       for one in changed[: len(lines) // 2]]  # fmt: skip
            if "tags" in changed[0]:
                changed = [{**one, "tags": [*one["tags"], "O"]} for one in changed]
        path.write_text("\n".join(map(json.dumps, changed)))
        files[split] = str(path)
    plugin, data = plugins.load("tasks", kind), plugins.load("data_sources", "files")
    fingerprint = data.lock(data.Parameters.model_validate({"files": files}))["fingerprint"]
    spec = {
        **{"kind": kind, "version": plugin.VERSION, "parameters": {"metrics": [], **own}},
        "data": {"source": "files", "version": data.VERSION, "parameters": {}, "fingerprint": fingerprint},
        "columns": {role: role for role, needed in plugin.COLUMNS.items() if needed},
        "splits": {"train": "train", "test": "test"},
    }
    return spec, {"files": files}


def _other(value: Any) -> Any:
    return [*value, "end"] if isinstance(value, list) else f"{value} end"


def test_a_probe_that_is_kept_answers_as_the_probe(tmp_path: Path) -> None:
    tiny_bert("BertForMaskedLM", tmp_path / "model")
    one = trial(tmp_path / "model", text_task(tmp_path), "linear-probe")
    found, _, adapted = adapt(one, tmp_path / "other")
    part = found.parts["test"]
    folder, told = kept(one, tmp_path)
    said = [found.labels[n] for n in adapted.predict(part).answers[0].argmax(-1)]
    assert set(said) == {"good", "bad"}
    texts, labels = rows(Path(one.locations["data"]["files"]["test"]))
    assert answered(folder, transformers.AutoModelForSequenceClassification, texts) == said
    assert told["score"] == pytest.approx(np.mean([a == b for a, b in zip(said, labels, strict=True)]))
    assert not (folder / "adapter").exists()


def test_what_trains_no_model_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    tiny_bert("BertForMaskedLM", tmp_path / "model")
    one = trial(tmp_path / "model", text_task(tmp_path), "zero-shot")
    one.regime.update({"way": "cloze", "way_version": 1})
    with pytest.raises(NotApplicable, match="zero-shot: it trains no model, so there is none to keep"):
        kept(one, tmp_path)
    assert not (tmp_path / "r/models").exists()


def test_a_folder_that_cannot_be_filled_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_bert("BertForMaskedLM", tmp_path / "model")

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.training.kept.write._same", killed)
    with pytest.raises(KeyboardInterrupt):
        kept(trial(tmp_path / "model", text_task(tmp_path), "full"), tmp_path)
    assert list((tmp_path / "r/models").iterdir()) == []


def test_the_choice_is_the_verdicts_at_the_most_clean_labels(tmp_path: Path) -> None:
    factory = Factory(tmp_path / "r")
    for size in (64, 256):
        for noise in (0.0, 0.2):
            factory.cell("full", size, 0.9, noise=noise)
            factory.cell("lora", size, 0.5, noise=noise)
    (found,) = choose(frame.load(factory.finish())[0])
    assert (found.regime, found.decided) == ("full", True)
    assert found.record is not None
    assert (found.record["trial"]["size"], found.record["trial"]["noise"]) == (256, 0.0)


SUITE = """\
name: small
models: {mine: {folder: model}}
tasks: {shades: {kind: image-classification, data: {folder: images}}}
regimes: {full: {learning_rate: 0.003}, retrain: {learning_rate: 0.003}}
sizes: [24]
seeds: 2
budget: {steps: 6}
training: {batch_size: 8}
"""


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bench.training.simple_features.simple_features", lambda *_: {})  # it tells dark from light too
    tiny_image("vit", tmp_path / "model")
    write_images(tmp_path / "images", 40)
    Path("suite.yaml").write_text(SUITE)
    command = ["run", "suite.yaml", "--executor", "inline", "--devices", "cpu", "--keep", "best", "--json"]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, (done.output, done.exception)
    (found,) = json.loads(done.stdout)["kept"]
    assert found["score"] == pytest.approx(found["recorded"])
    assert str(tmp_path) not in (Path(found["folder"]) / "kept.json").read_text()
    assert found["load"].startswith("transformers.AutoModelForImageClassification.from_pretrained(")
    assert image_score(Path(found["folder"]), tmp_path / "images") == pytest.approx(found["recorded"])
    again = CliRunner().invoke(main, command[:-1])
    assert again.exit_code == 0
    assert "once more" not in again.output
    assert found["load"] in again.output.replace("\n", " ")
