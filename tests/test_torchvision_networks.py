"""Torchvision's networks: prepared as torchvision's own transforms do, answering as torchvision's own models do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
import torchvision
from tiny_tasks import adapt, context, image_task, trial

from bench import plugins
from bench.errors import ModelError
from bench.model_sources.torchvision import _settings
from bench.modeling.encoding.pixels import _normalising
from bench.modeling.models.facts import Facts
from bench.modeling.models.loading import classifier, from_files
from bench.modeling.networks.image_processor import NetworkImageProcessor
from bench.suite.trial import Json
from bench.training.build import build

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")
source = plugins.load("model_sources", "torchvision")
SMALL = {"size": 32, "resize": 36}
NAMES = ["resnet18", "mobilenet_v2", "mobilenet_v3_small", "shufflenet_v2_x0_5", "regnet_y_400mf", "mnasnet0_5"]


def presets() -> dict[str, Any]:
    """Every kind of transforms that weights of torchvision's classifiers name."""
    found = {}
    for name in torchvision.models.list_models(module=torchvision.models):
        for weights in torchvision.models.get_model_weights(name):
            found.setdefault(repr(weights.transforms()), weights.transforms())
    return found


def test_images_are_prepared_as_every_published_weights_transforms_do() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (190, 260, 3), dtype=np.uint8)
    image = PIL.Image.fromarray(noise)
    found = presets()
    assert len(found) > 5
    for preset in found.values():
        processor = NetworkImageProcessor(**_settings(preset))
        assert torch.equal(processor([image])["pixel_values"][0], preset(image)), preset
        assert _normalising(processor) is not None  # so they are kept as bytes


def locked(**given: Any) -> tuple[Json, Path]:
    made = source.Parameters.model_validate(given)
    entry = source.lock(made)
    return entry, source.fetch(made, entry["fingerprint"])


@pytest.mark.parametrize("name", NAMES)
def test_its_features_are_what_its_last_layer_is_given(name: str) -> None:
    _, folder = locked(torchvision=name, input=SMALL, labels=["a", "b", "c"])
    whole, _ = from_files("AutoModelForImageClassification", folder, dtype="float32")
    torch.manual_seed(0)
    own = torchvision.models.get_model(name, num_classes=3).eval()
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(whole.eval()(images).logits, own(images))
    probe = classifier(folder, classes=5, pooling="pooler", modality="image", pretrained=True, seed=0)
    assert probe.head.in_features == whole.head.in_features


@pytest.mark.parametrize(("name", "last", "convolutional"), [
    ("vgg11", "classifier.6", True), ("vit_b_32", "heads.head", False), ("convnext_tiny", "classifier.2", True),
    ("efficientnet_b0", "classifier.1", True), ("swin_t", "head", False), ("densenet121", "classifier", True),
])  # fmt: skip
def test_its_last_linear_layer_is_found(
    name: str, last: str, convolutional: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large networks: only their config is looked at, and no weights are written."""
    monkeypatch.setattr("bench.modeling.networks.write.save_file", lambda *_: None)
    entry, _ = locked(torchvision=name, input=SMALL)
    assert f'"last": "{last}"' in entry["files"]["config.json"]
    assert Facts.from_files(entry["files"]).convolutional == convolutional


@pytest.mark.parametrize("regime", ["linear-probe", "head", "lora", "full", "retrain"])
def test_regimes_train_it(regime: str, tmp_path: Path) -> None:
    model = "torchvision", {"torchvision": "shufflenet_v2_x0_5", "input": SMALL, "labels": ["dark", "light"]}
    budget: Json = {} if regime == "linear-probe" else {"budget": {"steps": 1}}
    of, _, adapted = adapt(trial(model, image_task(tmp_path), regime, **budget), tmp_path)
    assert adapted.predict(of.parts["test"]).answers.shape == (1, len(of.parts["test"].indices), 2)


def test_a_file_of_weights_and_published_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Published ones as torchvision's cache of downloads holds them: this machine need not have a network."""
    name, enum = "shufflenet_v2_x0_5", torchvision.models.ShuffleNet_V2_X0_5_Weights.IMAGENET1K_V1
    torch.manual_seed(1)
    own = torchvision.models.get_model(name).eval()
    file = tmp_path / "hub" / "checkpoints" / Path(enum.url).name
    file.parent.mkdir(parents=True)
    torch.save(own.state_dict(), file)
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    entry, folder = locked(torchvision=name, weights="IMAGENET1K_V1")
    facts = Facts.from_files(entry["files"])
    assert facts.labels == tuple(enum.meta["categories"])
    assert not facts.random
    images = torch.rand(2, 3, 224, 224)
    with torch.no_grad():
        wanted = own(images)
        whole, _ = from_files("AutoModelForImageClassification", folder, dtype="float32")
        assert torch.equal(whole.eval()(images).logits, wanted)
        _, other = locked(torchvision=name, weights=str(file))
        whole, _ = from_files("AutoModelForImageClassification", other, dtype="float32")
        assert torch.equal(whole.eval()(images).logits, wanted)


def test_it_answers_as_a_script_does(tmp_path: Path) -> None:
    task = image_task(tmp_path)
    torch.manual_seed(2)
    own = torchvision.models.get_model("shufflenet_v2_x0_5", num_classes=2).eval()
    torch.save({"model": own.state_dict()}, tmp_path / "w.pth")
    model = "torchvision", {"torchvision": "shufflenet_v2_x0_5", "weights": str(tmp_path / "w.pth"),
                            "labels": ["dark", "light"]}  # fmt: skip
    one = trial(model, task, "zero-shot")
    one.regime["way"] = "own-head"
    one.training["evaluation_batch_size"] = 64
    of, _, adapted = adapt(one, tmp_path)
    prepare = torchvision.models.ShuffleNet_V2_X0_5_Weights.DEFAULT.transforms()
    shown = [prepare(PIL.Image.open(path)) for path in sorted(Path(task[1]["folder"]).glob("test/*/*.png"))]
    with torch.inference_mode():
        wanted = own(torch.stack(shown)).log_softmax(-1)
    assert torch.equal(torch.from_numpy(adapted.predict(of.parts["test"]).answers[0]), wanted)


def test_retraining_starts_from_torchvisions_own_initialisation(tmp_path: Path) -> None:
    model = "torchvision", {"torchvision": "shufflenet_v2_x0_5", "input": SMALL}
    of, _ = context(trial(model, image_task(tmp_path), "retrain"), tmp_path)
    found = build(of, pretrained=False).backbone.net
    assert float(found.conv1[0].weight.detach().std()) == pytest.approx(
        1 / 81**0.5, rel=0.1
    )  # U(-1/√27, 1/√27), as torch's


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"torchvision": "resnet81"}, "no classifier 'resnet81'; did you mean 'resnet18'"),
        ({"torchvision": "resnet18", "weights": "IMAGENET1K_V9"}, "has weights IMAGENET1K_V1, DEFAULT, and no"),
        ({"torchvision": "inception_v3"}, "hub: timm/inception_v3.tv_in1k"),
        ({"torchvision": "squeezenet1_1", "input": SMALL}, "no torch.nn.Linear"),
        ({"torchvision": "resnet18", "weights": "absent.pth"}, "No such file"),
    ],
)
def test_what_cannot_be_had_is_told(given: Json, said: str) -> None:
    with pytest.raises(ModelError) as error:
        locked(**given)
    assert said in str(error.value)
