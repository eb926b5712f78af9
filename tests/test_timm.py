"""timm's networks as their repositories on the Hub hold them: prepared by timm's transforms, answering as timm does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import timm
import torch
from timm.data import create_transform, resolve_data_config
from tiny_tasks import adapt, image_task, trial

from bench.modeling.models.facts import Facts
from bench.modeling.models.files import configs
from bench.modeling.models.loading import classifier
from bench.suite.trial import Json
from bench.trial import forgetting

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")
FAMILIES = {"test_resnet": True, "test_vit": False, "test_convnext": True, "test_efficientnet": True}
"""timm's own tiny architectures, and whether they are convolutional."""
WORDS = ["dark", "light"]


def hub(name: str, folder: Path, words: list[str] | None = WORDS) -> Any:
    """A repository of timm's, and its model."""
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=len(words) if words else 1000).eval()
    own = {"pretrained_cfg": dict(model.pretrained_cfg), **({"label_names": words} if words else {})}
    timm.models.save_for_hf(model, str(folder), model_config=own)
    config = json.loads((folder / "config.json").read_text())
    config.pop("model_args", None)  # no published one has it, and transformers takes it for more than timm wrote
    (folder / "config.json").write_text(json.dumps(config))
    return model


@pytest.mark.parametrize("name", FAMILIES)
def test_what_its_config_says(name: str, tmp_path: Path) -> None:
    hub(name, tmp_path)
    facts = Facts.from_files(configs(tmp_path, "x"))
    assert (facts.modality, facts.head, facts.labels) == ("image", "image-classification", tuple(WORDS))
    assert facts.convolutional == FAMILIES[name]
    assert facts.default_pooling() == "pooler"


def test_imagenets_labels_are_timms() -> None:
    config = {"architecture": "resnet50", "num_classes": 1000, "pretrained_cfg": {}}
    assert Facts.from_files({"config.json": json.dumps(config)}).labels[:1] == ("LABEL_0",)  # type: ignore[index]


def test_a_config_without_labels_is_given_timms(tmp_path: Path) -> None:
    hub("test_resnet", tmp_path, words=None)
    labels = Facts.from_files(configs(tmp_path, "x")).labels
    assert labels is not None
    assert labels[0].startswith("tench")
    assert len(labels) == 1000


@pytest.mark.parametrize("batch", [1, 64])
@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_as_is_answers_are_those_of_timms_transform_and_model(name: str, batch: int, tmp_path: Path) -> None:
    model = hub(name, tmp_path / "model")
    task = image_task(tmp_path)
    one = trial(tmp_path / "model", task, "zero-shot")
    one.regime["way"] = "own-head"
    one.training["evaluation_batch_size"] = batch
    of, _, adapted = adapt(one, tmp_path)
    prepare = create_transform(**resolve_data_config(model.pretrained_cfg), is_training=False)
    shown = torch.stack(
        [prepare(PIL.Image.open(path).convert("RGB")) for path in sorted(Path(task[1]["folder"]).glob("test/*/*.png"))]
    )
    with torch.inference_mode():
        wanted = torch.cat([model(shown[at : at + batch]) for at in range(0, len(shown), batch)]).log_softmax(-1)
    found = torch.from_numpy(np.asarray(adapted.predict(of.parts["test"]).answers[0]))
    assert torch.equal(found, wanted)


def test_retraining_starts_from_timms_own_initialisation(tmp_path: Path) -> None:
    hub("test_resnet", tmp_path)
    found = classifier(tmp_path, classes=2, pooling="pooler", modality="image", pretrained=False, seed=3)
    torch.manual_seed(3)
    wanted = timm.create_model("test_resnet", num_classes=0).state_dict()
    own = found.backbone.timm_model.state_dict()
    assert own.keys() == wanted.keys()
    assert all(torch.equal(own[name], wanted[name]) for name in own)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_convnext"])
def test_what_it_forgets_is_measured(name: str, tmp_path: Path) -> None:
    """Trained by nothing at all, it answers as it did; trained hard, it does not."""
    hub(name, tmp_path / "model")
    task = image_task(tmp_path)
    asked = {**task[0], "parameters": {**task[0]["parameters"], "metrics": ["brier"]}}
    for rate, same in ((1e-12, True), (1.0, False)):
        one = trial(tmp_path / "model", task, "full", tuned={"learning_rate": rate})
        one.regime["forgetting"] = {"x": {"task": asked, "way": "own-head"}}
        of, ledger, adapted = adapt(one, tmp_path)
        scores = forgetting.measure(of, ledger, adapted.backbone, {"x": task[1]})["x"]["brier"]
        assert (scores["before"] == pytest.approx(scores["after"], rel=1e-4)) == same


@pytest.mark.parametrize("regime", ["linear-probe", "partial", "lora", "full", "retrain"])
@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_convnext"])
def test_regimes_train_it(name: str, regime: str, tmp_path: Path) -> None:
    hub(name, tmp_path / "model")
    budget: Json = {} if regime == "linear-probe" else {"budget": {"steps": 1}}
    parameters = {"partial": {"blocks": 1}, "lora": {"r": 2}}.get(regime, {})
    of, _, adapted = adapt(trial(tmp_path / "model", image_task(tmp_path), regime, parameters, **budget), tmp_path)
    assert adapted.predict(of.parts["test"]).answers.shape == (1, len(of.parts["test"].indices), 2)
    if regime == "partial":
        assert 0 < adapted.trainable < adapted.total
