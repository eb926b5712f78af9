"""The baseline of images: what edges and colours tell, and what they do not."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_models import tiny_image
from tiny_tasks import context, image_task, trial

from bench.training.simple_features import ORIENTATIONS, describe, gradients, simple_features

SIDE = 64


def picture(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def stripes(turned: bool, noise: np.ndarray) -> Image.Image:
    wave = 120 + 60 * np.sin(np.arange(SIDE) * 0.8)
    grey = np.broadcast_to(wave[:, None] if turned else wave, (SIDE, SIDE))
    return picture(np.repeat((grey + noise)[..., None], 3, axis=-1))


def told_apart(first: list[Any], second: list[Any]) -> float:
    """The share of the second half of both that a centroid of the first half has right."""
    a, b = describe(first), describe(second)
    half = len(a) // 2
    centres = np.stack([a[:half].mean(axis=0), b[:half].mean(axis=0)])
    right = [
        np.square(row - centres).sum(axis=1).argmin() == side for side, rows in enumerate((a, b)) for row in rows[half:]
    ]
    return float(np.mean(right))


def test_edges_tell_classes_apart_and_so_do_colours_and_noise_does_not() -> None:
    generator = np.random.default_rng(0)
    noise = generator.normal(0, 10, (40, SIDE, SIDE))
    assert told_apart(*([stripes(turned, one) for one in noise] for turned in (False, True))) == 1
    tints = [np.array([150, 100, 100]), np.array([100, 100, 150])]
    assert told_apart(*([picture(tint + one[..., None]) for one in noise] for tint in tints)) == 1
    assert told_apart(*([picture(100 + one) for one in noise[side::2]] for side in (0, 1))) < 0.8


def test_the_descriptor_is_dalal_and_triggs() -> None:
    down = np.broadcast_to(np.arange(SIDE, dtype=np.float32)[:, None] * 4, (SIDE, SIDE))
    found = gradients(down).reshape(-1, ORIENTATIONS, 4)
    assert len(found) == 7 * 7  # SIDE / 8 cells a side, in blocks of 2 × 2
    middle = found[3 * 7 + 3]
    assert middle[ORIENTATIONS // 2] == pytest.approx(0.5, abs=0.01)  # one direction alone, the block of length one
    assert np.delete(middle, ORIENTATIONS // 2, axis=0).max() < 0.01
    assert np.square(gradients(np.random.default_rng(0).normal(100, 40, (SIDE, SIDE)))).sum(axis=1).max() < 1.00001
    assert np.abs(gradients(np.full((SIDE, SIDE), 7.0))).max() == 0


def test_images_of_any_size_and_mode_are_described() -> None:
    base = picture(np.random.default_rng(0).integers(0, 256, (30, 50, 3)))
    images = [
        base,
        base.convert("L"),
        base.convert("P"),
        base.convert("RGBA"),
        base.resize((1, 1)),
        base.resize((900, 3)),
    ]
    found = describe(images)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert (describe(images) == found).all()
    assert (np.square(found).sum(axis=1) <= 3.01).all()  # three kinds of about length one


def test_a_trial_has_the_baseline_beside_the_majority(tmp_path: Path) -> None:
    tiny_image("resnet", tmp_path / "resnet")
    of, _ = context(trial(tmp_path / "resnet", image_task(tmp_path, 40), "full"), tmp_path)
    part = of.parts["test"]
    found = of.objective.baselines(of, part)
    assert set(found) == {"majority", "simple-features"}
    answers = found["simple-features"]()
    assert answers.shape == (1, len(part.labels), 2)
    assert np.mean(answers[0].argmax(-1) == part.labels) == 1  # dark or light
    begun = time.perf_counter()
    assert (simple_features(of, part)["simple-features"]() == answers).all()
    assert time.perf_counter() - begun < 1  # kept
