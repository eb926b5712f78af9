"""Users' own networks: they answer as a script of torch has them answer, train in every regime, and what does not fit
is one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_networks import functions, network, source
from tiny_tasks import adapt, context, image_task, trial
from torchvision.transforms import functional

from bench import plugins
from bench.errors import ModelError
from bench.modeling.encoding.pixels import processor_for
from bench.modeling.models.facts import Facts
from bench.modeling.models.loading import classifier, from_files
from bench.modeling.networks import own_code, state_dict
from bench.suite.trial import Json
from bench.training.build import build

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")
python = plugins.load("model_sources", "python")


def locked(model: tuple[str, Json]) -> tuple[Json, Path]:
    made = python.Parameters.model_validate(model[1])
    entry = python.lock(made)
    return entry, python.fetch(made, entry["fingerprint"])


def script(model: Json, images: list[Path], batch: int) -> torch.Tensor:
    """What a user's own script of torch answers."""
    net = functions()["net"]()
    net.load_state_dict(load_file(model["weights"]))
    net.eval()
    pixels = []
    for path in images:
        shown = PIL.Image.open(path).convert("RGB").resize((16, 16), PIL.Image.Resampling.BILINEAR)
        pixels.append(functional.normalize(functional.to_tensor(shown), model["input"]["mean"], model["input"]["std"]))
    with torch.inference_mode():
        return torch.cat([net(part) for part in torch.stack(pixels).split(batch)])


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[Json, Json]:
    return image_task(tmp_path_factory.mktemp("images"))


@pytest.mark.parametrize("batch", [1, 64])
def test_it_answers_as_a_script_does(batch: int, images: Any, tmp_path: Path) -> None:
    model = network(tmp_path / "own")
    one = trial(model, images, "zero-shot")
    one.regime["way"] = "own-head"
    one.training["evaluation_batch_size"] = batch
    of, _, adapted = adapt(one, tmp_path)
    answers = torch.from_numpy(adapted.predict(of.parts["test"]).answers[0])
    wanted = script(model[1], sorted(Path(images[1]["folder"]).glob("test/*/*.png")), batch)
    assert torch.equal(answers, wanted.log_softmax(-1))
    assert of.features.encoded("test").pixels.dtype == np.uint8


@pytest.mark.parametrize("regime", ["linear-probe", "head", "lora", "full", "retrain"])
def test_regimes_train_it(regime: str, images: Any, tmp_path: Path) -> None:
    budget: Json = {} if regime == "linear-probe" else {"budget": {"steps": 1}}
    of, _, adapted = adapt(trial(network(tmp_path / "own"), images, regime, **budget), tmp_path)
    assert adapted.predict(of.parts["test"]).answers.shape == (1, len(of.parts["test"].indices), 2)


def test_retraining_starts_from_the_networks_own_initialisation(tmp_path: Path) -> None:
    _, folder = locked(network(tmp_path))
    found = classifier(folder, classes=3, pooling="pooler", modality="image", pretrained=False, seed=3)
    torch.manual_seed(3)
    wanted = functions()["net"]().state_dict()
    own = {name.removeprefix("net."): value for name, value in found.backbone.state_dict().items()}
    assert own.keys() - {"gain"} == wanted.keys() - {"fc.weight", "fc.bias"}
    assert all(torch.equal(own[name], wanted[name]) for name in own if name != "gain")


def test_dropout_in_the_suite_is_the_networks_dropout(images: Any, tmp_path: Path) -> None:
    model = network(tmp_path / "own", arguments={"dropout": 0.5})
    one = trial(model, images, "full")
    for rate in (None, 0.25):
        one.training["dropout"] = rate
        of, _ = context(one, tmp_path)
        assert build(of, pretrained=True).backbone.net.drop.p == (rate or 0.5)


def test_without_weights_it_is_random_and_says_so(tmp_path: Path) -> None:
    path = source(tmp_path)
    given = {"python": f"{path}:net", "input": {"size": 16}, "labels": ["dark", "light"], "seed": 4}
    entry, folder = locked(("python", given))
    assert Facts.from_files(entry["files"]).random
    torch.manual_seed(4)
    wanted = functions()["net"]()
    model, gaps = from_files("AutoModelForImageClassification", folder, dtype="float32")
    assert torch.equal(model.network.net.first.weight, wanted.first.weight)
    assert gaps == {}


def test_an_image_is_cut_from_the_middle_and_may_be_grey(tmp_path: Path) -> None:
    given = {"size": [8, 8], "resize": 12, "channels": 1, "resample": "bicubic"}
    _, folder = locked(("python", {"python": f"{source(tmp_path)}:mlp", "input": given}))
    image = PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (18, 36, 3), dtype=np.uint8))
    shown = functional.center_crop(functional.resize(image.convert("L"), 12, functional.InterpolationMode.BICUBIC), 8)
    found = processor_for(folder)([image], return_tensors="pt")["pixel_values"]
    assert torch.equal(found[0], functional.to_tensor(shown))


@pytest.mark.parametrize("wrap", ["state_dict", "model", "net", None])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.module."])
def test_weights_are_found_in_a_checkpoint(wrap: str | None, prefix: str, tmp_path: Path) -> None:
    _, given = network(tmp_path)
    own = load_file(given["weights"])
    named = {f"{prefix}{name}": value for name, value in own.items()}
    torch.save({"epoch": 3, "best_prec1": 0.7, wrap: named} if wrap else named, tmp_path / "w.pth")
    net = functions()["net"]()
    state_dict.load(net, state_dict.read(tmp_path / "w.pth"), "w.pth")
    assert all(torch.equal(value, own[name]) for name, value in net.state_dict().items())


def fail(folder: Path, **more: Any) -> str:
    """What is said of a model that cannot be locked."""
    with pytest.raises(ModelError) as error:
        locked(network(folder, **more))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    _, given = network(tmp_path)
    own = load_file(given["weights"])
    own["head.weight"] = own.pop("fc.weight")
    own["first.weight"] = own["first.weight"][:2]
    save_file(own, tmp_path / "other.safetensors")
    said = fail(tmp_path, weights=str(tmp_path / "other.safetensors"))
    assert (
        "lacks fc.weight; it has more than the network: head.weight; it has other shapes: first.weight ([2, 3" in said
    )
    assert "whose weights are first.weight, norm.weight, norm.bias and" in said


def test_a_pickle_with_code_is_not_read(tmp_path: Path) -> None:
    torch.save(functions()["mlp"](), tmp_path / "whole.pth")
    assert "nothing of it was loaded" in fail(tmp_path, weights=str(tmp_path / "whole.pth"))
    torch.save({"epoch": 3}, tmp_path / "empty.pth")
    assert "holds no state dict" in fail(tmp_path, weights=str(tmp_path / "empty.pth"))
    (tmp_path / "torn.pth").write_bytes(b"PK\x03\x04torn")
    assert "cannot be read as weights" in fail(tmp_path, weights=str(tmp_path / "torn.pth"))
    assert "No such file" in fail(tmp_path, weights=str(tmp_path / "absent.pth"))


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("raising", "raising() raised ValueError: no such size"),
        ("number", "returns no torch.nn.Module but int"),
        ("softmax", "is not what its last linear layer (0.fc) gives"),
        ("no_linear", "has no torch.nn.Linear"),
        ("maps", "answers images [2, 3, 16, 16] with [2, 2, 16, 16], not with logits"),
        ("mlp", "cannot take images [2, 3, 16, 16]"),
    ],
)
def test_a_network_that_cannot_be_used_is_told(function: str, said: str, tmp_path: Path) -> None:
    assert said in fail(tmp_path, function=function)


def test_what_the_suite_gets_wrong_is_told(tmp_path: Path) -> None:
    assert "names 3 labels, and the network gives 2 outputs" in fail(tmp_path, labels=["a", "b", "c"])
    assert "models.py: has no function 'nets'; it has Net, net, mlp," in fail(
        tmp_path, python=f"{source(tmp_path)}:nets"
    )
    assert "net(depth=3) raised TypeError" in fail(tmp_path, arguments={"depth": 3})
    (tmp_path / "broken.py").write_text("import no_such_package")
    assert "cannot be imported: ModuleNotFoundError" in fail(tmp_path, python=f"{tmp_path}/broken.py:net")
    assert "No such file" in fail(tmp_path, python=f"{tmp_path}/absent.py:net")


def test_code_runs_only_where_a_suite_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder from elsewhere that looks as the cache's does, with code in it."""
    _, folder = locked(network(tmp_path))
    monkeypatch.setattr(own_code, "_named", {})
    with pytest.raises(ModelError, match="only that source, in a suite, runs such code"):
        from_files("AutoModel", folder, dtype="float32")


def test_a_changed_file_is_another_model(tmp_path: Path) -> None:
    model = network(tmp_path)
    made = python.Parameters.model_validate(model[1])
    before = python.lock(made)["fingerprint"]
    made.python.with_name("models.py").write_text("x = 1")
    assert python.fingerprint(made) != before
    folder = python.fetch(made, before)  # what was locked is kept
    assert json.loads((folder / "config.json").read_text())["last"] == "fc"
