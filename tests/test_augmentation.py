"""Training images varied at random: what is drawn, for whom, and what it depends on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import tiny_image
from tiny_tasks import adapt, context, image_task, trial
from torch import Tensor
from torchvision.transforms.v2.functional import resized_crop

from bench.errors import NotApplicable, UsageError
from bench.modeling.encoding.arrays import Pixels
from bench.modeling.encoding.masked_pixels import MaskedPixels
from bench.suite.parameters import Augmentation, Training
from bench.training.augmentation import Varying, _cropped
from bench.training.feeding import WORKERS, Feed, workers

CPU = torch.device("cpu")
KINDS: tuple[Augmentation, ...] = ("flip", "crop", "randaugment")


def images(count: int = 8, dtype: type = np.uint8) -> Pixels:
    values = np.random.default_rng(0).integers(0, 256, (count, 3, 12, 10))
    return Pixels(values.astype(dtype), 1.0, None, None)


def rows(count: int = 8) -> Iterator[np.ndarray]:
    generator = np.random.default_rng(1)
    while True:
        yield generator.permutation(count)[:4]


def feed(kind: Augmentation, count: int = 0, seed: int = 3, encoded: Any = None) -> Feed:
    return Feed(encoded or images(), np.arange(8), rows, Varying(kind, seed), count)


def steps(of: Feed, count: int, micro: int = 4) -> list[Tensor]:
    found = []
    for _ in range(count):
        batch = next(of)
        parts = [of.batch(batch[i : i + micro], CPU)["pixel_values"] for i in range(0, len(batch), micro)]
        found.append(torch.cat(parts))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_drawn_depends_on_seed_image_and_visit_alone(
    kind: Augmentation, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = steps(feed(kind), 6)
    before = torch.get_rng_state()
    for other in (steps(feed(kind), 6, micro=3), steps(feed(kind, count=2), 6)):
        assert all(torch.equal(a, b) for a, b in zip(whole, other, strict=True))
    assert torch.equal(torch.get_rng_state(), before)  # dropout draws what it would have
    late = feed(kind, count=2)
    late.skip(4)  # as a run does that goes on from a checkpoint
    assert all(torch.equal(a, b) for a, b in zip(whole[4:], steps(late, 2), strict=True))
    late.close()
    plain, again = steps(feed("none"), 6), steps(feed(kind, seed=4), 6)
    for other in (plain, again):
        assert any(not torch.equal(a, b) for a, b in zip(whole, other, strict=True))


def test_half_of_the_images_are_flipped_and_an_image_not_always() -> None:
    vary, pixels = Varying("flip", 0), torch.from_numpy(images().pixels)
    flipped = np.array([[vary.flips(image, visit) for visit in range(1, 101)] for image in range(8)])
    assert 0.4 < flipped.mean() < 0.6
    assert flipped.any(axis=1).all()
    for visit in (1, 2, 3):
        visits = np.full(8, visit)
        expected = torch.stack([one.flip(-1) if vary.flips(i, visit) else one for i, one in enumerate(pixels)])
        assert torch.equal(vary.varied(pixels.clone(), np.arange(8), visits), expected)


def test_a_crop_is_what_torchvision_makes_of_the_same_box() -> None:
    generator = np.random.default_rng(0)
    coarse = torch.from_numpy(generator.integers(0, 256, (1, 3, 6, 6))).float()
    smooth = torch.nn.functional.interpolate(coarse, (48, 40), mode="bicubic").clamp(0, 255)
    for drawn in generator.random((20, 4)):
        area, aspect = 0.5 + 0.5 * (2 * drawn[0] % 1), np.exp((2 * drawn[1] - 1) * np.log(4 / 3))
        wide, high = min(1.0, np.sqrt(area * aspect)) * 40, min(1.0, np.sqrt(area / aspect)) * 48
        left, top = drawn[2] * (40 - wide), drawn[3] * (48 - high)
        found = _cropped(smooth, drawn[None])[0]
        assert area >= 0.5
        box = [round(value) for value in (top, left, high, wide)]
        expected = resized_crop(smooth[0], *box, [48, 40], antialias=False)
        expected = expected.flip(-1) if drawn[0] < 0.5 else expected
        assert (found - expected).abs().mean() < 6  # whole pixels there, parts of pixels here


def test_a_mask_is_turned_around_with_its_image() -> None:
    masks = np.random.default_rng(2).integers(0, 3, (8, 6, 5)).astype(np.uint8)
    encoded = MaskedPixels(
        images(), masks.ravel(), np.arange(9) * 30, np.full((8, 2), (6, 5)), np.zeros((8, 3), dtype=np.int64)
    )
    of, turned = feed("flip", encoded=encoded), 0
    for _ in range(4):
        for index in (batch := next(of)):
            plain = torch.from_numpy(images().pixels[index]).float()
            seen = of.batch(np.array([index]), CPU)["pixel_values"][0]
            mask = of.sent(index, CPU)
            flipped = torch.equal(seen, plain.flip(-1))
            assert flipped or torch.equal(seen, plain)
            assert torch.equal(
                mask,
                torch.from_numpy(masks[index]).long().flip(-1) if flipped else torch.from_numpy(masks[index]).long(),
            )
            turned += flipped
    assert 0 < turned < 4 * len(batch)


def test_numbers_are_flipped_and_cropped_but_not_given_to_randaugment() -> None:
    for kind in ("flip", "crop"):
        assert steps(feed(kind, encoded=images(dtype=np.float32)), 1)[0].dtype == torch.float32  # type: ignore[arg-type]
    with pytest.raises(NotApplicable, match="take flip or crop"):
        feed("randaugment", encoded=images(dtype=np.float32))


def test_how_many_processes_prepare_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(WORKERS, raising=False)
    assert workers(CPU) == 0
    assert 0 <= workers(torch.device("cuda")) <= 4
    monkeypatch.setenv(WORKERS, "3")
    assert workers(CPU) == 3
    monkeypatch.setenv(WORKERS, "many")
    with pytest.raises(UsageError, match="expected a number of processes, found 'many'"):
        workers(CPU)


def test_every_regime_sees_the_same_and_what_is_not_trained_sees_images_as_they_are(tmp_path: Path) -> None:
    tiny_image("resnet", tmp_path / "resnet")
    task = image_task(tmp_path)
    losses = {}
    for name in ("none", "flip", "crop"):
        training = Training(batch_size=8, augmentation=name).model_dump(mode="json")  # type: ignore[arg-type]
        spec = trial(tmp_path / "resnet", task, "head", budget={"steps": 4}, training=training)
        of, _, adapted = adapt(spec, tmp_path / name)
        losses[name] = adapted.fit.losses
        assert adapted.facts["feeding"]["workers"] == 0
        assert 0 < adapted.facts["feeding"]["share"] < 1
        encoded = of.features.encoded("train")
        assert isinstance(encoded, Pixels)  # what a probe, validation and test read
    assert losses["none"][0] != losses["crop"][0]
    whole, _ = context(trial(tmp_path / "resnet", task, "full"), tmp_path / "plain")
    assert "augmentation" not in whole.trial.training
