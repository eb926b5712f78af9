"""Batch normalisation in training: whose statistics it takes, and what it holds at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import tiny_image
from tiny_tasks import adapt, image_task, trial
from torch import Tensor, nn

from bench.suite.parameters import Training
from bench.suite.trial import Json
from bench.training.normalising import BatchNorm, without_single

KINDS = ("running_mean", "running_var")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    tiny_image("resnet", folder / "resnet")
    tiny_image("mobilenet_v2", folder / "mobilenet")
    tiny_image("vit", folder / "vit")
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[Json, Json]:
    return image_task(tmp_path_factory.mktemp("images"))


def statistics(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items() if name.endswith(KINDS)}


def run(home: Path, images: Any, tmp_path: Path, model: str, regime: str, policy: str, own: Json | None = None) -> Any:
    training = Training.model_validate({"batch_size": 8, "dropout": 0.0, "batch_norm": policy})
    chosen = trial(home / model, images, regime, own, training=training.model_dump(mode="json"))
    return adapt(chosen, tmp_path)


def stayed(model: nn.Module, before: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, before[name]) for name, value in statistics(model).items())


@pytest.mark.parametrize(
    ("regime", "policy", "by_batch"),
    [
        ("full", "auto", False),
        ("full", "frozen", False),
        ("full", "batch", True),
        ("lora", "batch", False),
        ("retrain", "auto", True),
        ("retrain", "frozen", True),
    ],
)
def test_the_policy_says_whose_statistics_change(
    regime: str, policy: str, by_batch: bool, home: Path, images: Any, tmp_path: Path
) -> None:
    _, _, adapted = run(home, images, tmp_path, "resnet", regime, policy, {"r": 2} if regime == "lora" else {})
    facts = adapted.facts["batch_norm"]
    assert facts["policy"] == policy
    assert facts["by_batch"] == (facts["layers"] if by_batch else 0) <= facts["layers"]
    values = statistics(adapted.model)
    zeros = [torch.count_nonzero(v) == 0 for n, v in values.items() if n.endswith("running_mean")]
    assert all(zeros) != by_batch  # tiny random weights have means of 0, and variances of 1
    if by_batch:
        assert facts["momentum"] == [0.1]
        assert facts["re_estimated_on"] == 24


def test_partial_leaves_the_statistics_below_alone(home: Path, images: Any, tmp_path: Path) -> None:
    _, _, adapted = run(home, images, tmp_path, "resnet", "partial", "batch", {"blocks": 1})
    moved = {name for name, value in statistics(adapted.backbone).items() if value.min() not in (0, 1)}
    assert moved
    assert all(name.startswith("encoder.stages.2") for name in moved)


def test_what_has_no_batch_normalisation_says_nothing_of_it(home: Path, images: Any, tmp_path: Path) -> None:
    assert "batch_norm" not in run(home, images, tmp_path, "vit", "full", "batch")[2].facts


def test_tensorflows_momentum_is_not_taken_for_torchs(home: Path, images: Any, tmp_path: Path) -> None:
    _, _, adapted = run(home, images, tmp_path, "mobilenet", "full", "batch")
    norms = [module for module in adapted.model.modules() if isinstance(module, nn.BatchNorm2d)]
    assert {module.momentum for module in norms} == {0.1}
    assert adapted.facts["batch_norm"] == {
        "policy": "batch", "layers": len(norms), "by_batch": len(norms), "momentum": [0.1], "re_estimated_on": 24,
    }  # fmt: skip


def test_statistics_are_taken_anew_by_the_last_weights() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2), nn.BatchNorm1d(2))
    x = torch.randn(130, 3)
    found = BatchNorm.of(model)
    assert found.re_estimate(model, lambda rows: model(x[rows]), np.arange(130), 130) == 130
    assert not any(module.training for module in model.modules())
    first = model[0](x)
    torch.testing.assert_close(model[1].running_mean, first.mean(0))
    torch.testing.assert_close(model[1].running_var, first.var(0))
    second = model[3](nn.functional.batch_norm(first, None, None, model[1].weight, model[1].bias, training=True))
    torch.testing.assert_close(model[4].running_mean, second.mean(0))
    assert model[4].momentum == 0.1


def test_statistics_are_never_those_of_one_example() -> None:
    model, sizes = nn.Sequential(nn.BatchNorm1d(3)), []
    found = BatchNorm.of(model)

    def forward(rows: np.ndarray) -> None:
        sizes.append(len(rows))
        model(torch.randn(len(rows), 3))

    for count in (5, 9, 17):
        found.re_estimate(model, forward, np.arange(count), 4)
    assert sizes == [5, 5, 4, 5, 4, 4, 4]
    assert found.re_estimate(model, forward, np.arange(1), 4) == 0
    assert [len(b) for b in without_single([np.arange(4), np.arange(1), np.arange(2)])] == [4, 2]


def test_a_last_batch_of_one_image_trains(home: Path, images: Any, tmp_path: Path) -> None:
    """MobileNetV2's last map has one pixel: batch normalisation of one image has no variance, which torch refuses."""
    training = Training.model_validate({"batch_size": 23, "dropout": 0.0}).model_dump(mode="json")
    chosen = trial(home / "mobilenet", images, "retrain", training=training, budget={"steps": 4})
    _, _, adapted = adapt(chosen, tmp_path)
    assert adapted.fit is not None
    assert adapted.fit.examples == 4 * 23
