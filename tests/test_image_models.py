"""Image models of every kind under one face: what trains in them, how wide their features are, what is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from hub_mirror import MIRROR
from peft.tuners.lora import LoraLayer
from tiny_models import TINY_IMAGES, tiny_image
from tiny_tasks import adapt, context, image_task, trial
from torch import nn

from bench.errors import ModelError
from bench.modeling.heads.classifier import blocks
from bench.modeling.heads.width import width
from bench.suite.trial import Json
from bench.training.build import arranged, build
from bench.training.starting_weights import merged

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {name: tmp_path_factory.mktemp(name) for name in TINY_IMAGES}
    for name, folder in folders.items():
        tiny_image(name, folder)
    return folders


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[Json, Json]:
    return image_task(tmp_path_factory.mktemp("images"))


@pytest.mark.parametrize("family", TINY_IMAGES)
def test_the_head_is_as_wide_as_the_features_are(family: str, models: Any, images: Any, tmp_path: Path) -> None:
    of, _ = context(trial(models[family], images, "full"), tmp_path)
    model = build(of, pretrained=True).eval()
    with torch.no_grad():
        found = model.features(of.features.encoded("train").batch([0, 1, 2], of.device))
    assert found.shape == (3, model.head.in_features)


@pytest.mark.parametrize("regime", ["linear-probe", "head", "partial", "full", "retrain"])
@pytest.mark.parametrize("family", TINY_IMAGES)
def test_every_image_model_learns(family: str, regime: str, models: Any, images: Any, tmp_path: Path) -> None:
    budget: Json = {} if regime == "linear-probe" else {"budget": {"steps": 2}}
    parameters = {"blocks": 1} if regime == "partial" else {}
    of, _, adapted = adapt(trial(models[family], images, regime, parameters, **budget), tmp_path)
    if regime == "partial":
        (last, *_) = adapted.facts["trained_modules"]
        assert last in dict(adapted.backbone.named_modules())
        assert adapted.trainable < adapted.total
    answers = adapted.predict(of.parts["test"]).answers
    assert answers.shape == (1, len(of.parts["test"].indices), 2)
    assert (answers <= 0).all()


@pytest.mark.parametrize("variant", [{}, {"use_dora": True}])
@pytest.mark.parametrize("family", TINY_IMAGES)
def test_an_adapter_trains_and_merges_on_every_architecture(
    family: str, variant: Json, models: Any, images: Any, tmp_path: Path
) -> None:
    parameters = {"learning_rate": 1e-2, "r": 2, **variant}
    of, ledger, adapted = adapt(trial(models[family], images, "lora", parameters, budget={"steps": 3}), tmp_path)
    model = adapted.model.eval()
    covered = [m.get_base_layer() for m in model.backbone.modules() if isinstance(m, LoraLayer)]
    grouped = sum(isinstance(m, nn.Conv2d) and m.groups > 1 for m in model.backbone.modules())
    if of.facts.convolutional:
        assert {type(layer) for layer in covered} >= {nn.Conv2d}
        assert all(not isinstance(layer, nn.Conv2d) or layer.groups == 1 for layer in covered)
    said = [f"{grouped} grouped convolutions have no adapter and stay as they are"] if grouped else []
    assert [note for note in ledger.notes if "convolutions" in note] == (said if of.facts.convolutional else [])
    batch = of.features.encoded("test").batch([0, 1, 2], of.device)
    with torch.no_grad():
        before = model(batch)
        model.backbone = merged(model.backbone)
        assert torch.allclose(model(batch), before, atol=1e-5)


def test_dora_leaves_out_layers_with_filters_of_zeros(models: Any, images: Any, tmp_path: Path) -> None:
    """Their norm is 0, by which it divides; real MobileNets have some."""
    network = transformers.AutoModel.from_pretrained(models["resnet"])
    convolution = next(m for m in network.modules() if isinstance(m, nn.Conv2d))
    nn.init.zeros_(convolution.weight[0].detach())
    network.save_pretrained(tmp_path / "model")
    for file in models["resnet"].glob("preprocessor_config.json"):
        (tmp_path / "model" / file.name).write_bytes(file.read_bytes())
    parameters = {"learning_rate": 1e-2, "r": 2, "use_dora": True}
    of, ledger, adapted = adapt(trial(tmp_path / "model", images, "lora", parameters, budget={"steps": 3}), tmp_path)
    assert np.isfinite(adapted.predict(of.parts["test"]).answers).all()
    assert "1 layers with filters of zeros have no adapter: DoRA divides by their norms" in ledger.notes


class Counted(torch.nn.Module):
    """Answers with features of three numbers, after batch normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = torch.nn.BatchNorm2d(3)
        self.config = Config()

    def forward(self, pixel_values: torch.Tensor) -> Any:
        output = Config()
        output.last_hidden_state = self.norm(pixel_values)
        output.pooler_output = pixel_values
        return output


class Config:
    image_size = (4, 6)
    last_hidden_state: torch.Tensor
    pooler_output: torch.Tensor


def test_measuring_the_width_leaves_the_network_as_it_was() -> None:
    net = Counted().train()
    before = torch.get_rng_state()
    assert width(net, "mean", "image") == 3
    assert net.training
    assert int(net.norm.num_batches_tracked) == 0
    assert torch.equal(torch.get_rng_state(), before)


def test_the_pooled_map_may_have_any_size() -> None:
    assert width(Counted(), "pooler", "image") == 3 * 4 * 6


def test_features_that_are_no_vector_are_refused() -> None:
    class Flat(Counted):
        def forward(self, pixel_values: torch.Tensor) -> Any:
            output = super().forward(pixel_values)
            output.last_hidden_state = output.last_hidden_state[:, 0, 0]
            return output

    with pytest.raises(ModelError, match="no vector"):
        width(Flat(), "cls", "image")


@pytest.mark.hub
@pytest.mark.parametrize("name", ["mobilenet-v1-0.25-128", "mobilenet-v2-1.0-224"])
def test_a_network_that_hardly_trains_answers_as_it_did(name: str, tmp_path: Path) -> None:
    """A real MobileNet with its own head, before and after three steps of a learning rate that changes nothing."""
    folder = MIRROR / "models" / "mirror" / name
    if not folder.is_dir():
        pytest.skip("there is no Hub mirror here")
    whole = transformers.AutoModelForImageClassification.from_pretrained(folder).eval()
    task = image_task(tmp_path)
    tuned, budget = {"learning_rate": 1e-12}, {"steps": 3}
    of, _, adapted = adapt(trial(folder, task, "full", tuned=tuned, budget=budget), tmp_path)
    batch = of.features.encoded("test").batch(of.parts["test"].indices, of.device)
    with torch.no_grad():
        before = whole(**batch).logits.argmax(1)
        setattr(whole, whole.base_model_prefix, adapted.backbone)
        after = whole(**batch).logits.argmax(1)
    assert (before == after).float().mean() >= 0.95


class Plain(torch.nn.Module):
    """A network without a ModuleList: four stages after a stem, or all of it in one Sequential."""

    def __init__(self, flat: bool) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
        stages = [nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)) for _ in range(4)]
        if flat:
            self.features = nn.Sequential(*stages)
        else:
            for number, stage in enumerate(stages):
                self.add_module(f"layer{number}", stage)
        self.head = nn.Identity()


@pytest.mark.parametrize(("flat", "last"), [(False, "layer3"), (True, "features.3")])
def test_a_network_without_a_list_of_blocks_has_its_parts(flat: bool, last: str) -> None:
    network = Plain(flat)
    found = blocks(network)
    assert found is not None
    assert found[-1] is network.get_submodule(last)
    assert len(found) == 5
    assert blocks(nn.Sequential(nn.Linear(2, 2))) is None


def test_channels_stand_last_on_a_gpu_alone() -> None:
    def network() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 6 * 6, 2)).eval()

    plain, turned = arranged(network(), "cpu"), arranged(network(), "cuda")
    assert plain[0].weight.is_contiguous()  # type: ignore[index]
    assert turned[0].weight.is_contiguous(memory_format=torch.channels_last)  # type: ignore[index]
    images = torch.rand(2, 3, 8, 8)
    assert torch.allclose(plain(images), turned(images), atol=1e-6)
    assert turned[0].weight.shape == (4, 3, 3, 3)  # type: ignore[index]
