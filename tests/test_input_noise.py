"""Worse images: what is done to them, that it is a condition of its own in suites, and what reports say of it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageFilter
from tiny_models import tiny_image
from tiny_tasks import write_images, write_texts

from bench import api
from bench.cli import main
from bench.data.input_noise import KINDS, Spoilt, spoilt
from bench.errors import SuiteError

SUITE = """\
name: spoilt
models: {resnet: ./resnet}
tasks:
  shades:
    kind: image-classification
    data: {folder: images}
    input_noise: [none, {blur: 1.5}, {gaussian-noise: 0.2}, {jpeg: 5}]
regimes: {linear-probe: {C: 1}, head: {learning_rate: 0.01}}
sizes: [24]
seeds: 2
budget: {steps: 3}
"""


class Pictures(list[Any]):
    deep = {3}


def picture(seed: int = 0, mode: str = "RGB") -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    return Image.fromarray(values).convert(mode)


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(float)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spoilt")
    tiny_image("resnet", folder / "resnet")
    write_images(folder / "images", 40)
    write_texts(folder / "train.csv", 20, 0)
    (folder / "suite.yaml").write_text(SUITE)
    return folder


def test_each_kind_does_what_it_says() -> None:
    image = picture()
    assert (pixels(Spoilt([image], {"blur": 2.0})[0]) == pixels(image.filter(ImageFilter.GaussianBlur(2)))).all()
    file = io.BytesIO()
    image.save(file, "JPEG", quality=10)
    assert (pixels(Spoilt([image], {"jpeg": 10.0})[0]) == pixels(Image.open(file))).all()
    even = Image.fromarray(np.full((200, 200, 3), 128, dtype=np.uint8))
    noise = pixels(Spoilt([even], {"gaussian-noise": 0.1})[0]) - 128
    assert noise.mean() == pytest.approx(0, abs=0.5)
    assert noise.std() == pytest.approx(25.5, rel=0.02)


@pytest.mark.parametrize(("kind", "strength"), [("blur", 1.0), ("gaussian-noise", 0.1), ("jpeg", 20.0)])
def test_equal_images_are_spoilt_alike_and_others_otherwise(kind: str, strength: float) -> None:
    images = Pictures([picture(), picture(), picture(1), picture(0, "L"), picture(0, "P")])
    found = Spoilt(images, {kind: strength})
    assert len(found) == 5
    assert found.deep == {3}
    assert (pixels(found[0]) == pixels(found[1])).all()
    assert (pixels(found[0]) == pixels(found[0:1][0])).all()
    assert (pixels(found[0]) != pixels(images[0])).any()
    assert (pixels(found[0]) - pixels(images[0]) != pixels(found[2]) - pixels(images[2])).any()
    assert {one.mode for one in found} == {"RGB"}
    assert spoilt(images, None) is images
    assert set(KINDS) == {"blur", "gaussian-noise", "jpeg"}


def load(home: Path, old: str, new: str) -> Any:
    assert old in SUITE
    path = home / "other.yaml"
    path.write_text(SUITE.replace(old, new))
    return api.load_suite(path)


AXIS = "    input_noise: [none, {blur: 1.5}, {gaussian-noise: 0.2}, {jpeg: 5}]\n"


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        ("[]", "at least 1"),
        ("{blur: 2}", "expected a list"),
        ("[blur]", "expected none or a kind of noise with its strength"),
        ("[none, {blurr: 2}]", "no noise is called 'blurr'; known: none, blur, gaussian-noise, jpeg"),
        ("[{blur: 0}]", "blur takes a standard deviation in pixels, above 0"),
        ("[{gaussian-noise: 30}]", "gaussian-noise takes a standard deviation, of pixels from 0 to 1"),
        ("[{jpeg: 99}]", "jpeg takes a quality from 1 to 95"),
        ("[{jpeg: 20, blur: 1}]", "expected one kind of noise"),
        ("[{blur: 2}, none, {blur: 2.0}]", "listed more than once: blur 2"),
    ],
)
def test_what_is_no_noise_is_said(noise: str, message: str, home: Path) -> None:
    with pytest.raises(SuiteError, match="input_noise") as raised:
        load(home, AXIS, f"    input_noise: {noise}\n")
    assert message in str(raised.value)


def test_a_task_on_texts_has_no_such_axis_and_a_suites_is_not_for_it(home: Path) -> None:
    films = "  films:\n    kind: text-classification\n    data: {files: {train: train.csv}}\n    splits: {test: 0.5}\n"
    with pytest.raises(SuiteError, match="input noise is for tasks on images, and text-classification is none"):
        load(home, AXIS, f"{films}    input_noise: [none]\n")
    found = load(home, AXIS, f"{films}input_noise: [{{blur: 1}}, none]\n")
    assert [*found.tasks] == ["shades (blur 1)", "shades", "films"]


def test_conditions_are_tasks_and_the_clean_one_is_what_it_was(home: Path) -> None:
    suite, plain = api.load_suite(home / "suite.yaml"), load(home, AXIS, "")
    assert [*suite.tasks] == ["shades", "shades (blur 1.5)", "shades (gaussian-noise 0.2)", "shades (jpeg 5)"]
    assert suite.tasks["shades"] == plain.tasks["shades"]
    assert "input_noise" not in suite.tasks["shades"].parameters.model_dump()
    assert suite.tasks["shades (jpeg 5)"].parameters.model_dump()["input_noise"] == {"jpeg": 5}


def test_a_report_sets_conditions_side_by_side(home: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    done = CliRunner().invoke(
        main, ["run", str(home / "suite.yaml"), "--results", str(results), "--executor", "inline"]
    )
    assert done.exit_code == 0, done.output
    assert CliRunner().invoke(main, ["check", str(results)]).exit_code == 0
    plan = json.loads((results / "spoilt/plan.json").read_text())
    assert plan["input_noise"]["shades (blur 1.5)"] == {"task": "shades", "noise": "blur 1.5"}
    options = ["--rows", "regime", "--columns", "input_noise", "--only", "regime=head"]
    found = CliRunner().invoke(main, ["report", str(results), "--out", str(tmp_path / "report"), *options])
    assert found.exit_code == 0, found.output
    own = " ".join(found.output.split())
    assert all(name in own for name in ("regime", "none", "blur 1.5", "jpeg 5"))
    text = next((tmp_path / "report").rglob("report.md")).read_text()
    assert "| regime | none | blur 1.5 | gaussian-noise 0.2 | jpeg 5 |" in text
    assert "With blur 1.5 " in next((tmp_path / "report").rglob("verdicts.json")).read_text()
    assert "over 4 tasks" not in text  # a task counts once
    for kind in ("png", "pdf", "svg"):
        assert list((tmp_path / "report").rglob(f"input-noise.{kind}"))
    page = next((tmp_path / "report").rglob("report.html")).read_text()
    assert "Score by input noise" in page
    assert list((tmp_path / "report").rglob("input-noise-shades-resnet.tex"))
