"""What models see of images is what their own processors give, to the bit, whichever regime asks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from hub_mirror import MIRROR
from pyarrow import parquet
from tiny_models import images
from tiny_tasks import adapt, image_task, order, trial

from bench import plugins
from bench.data.images import Pictures
from bench.modeling.encoding import pixels
from bench.modeling.encoding.arrays import PixelRows
from bench.modeling.inference import classification_head
from bench.suite.trial import Json
from bench.trial.run import run

CPU = torch.device("cpu")
ROWS = np.arange(4)


def vit(folder: Path, names: dict[int, str]) -> Any:
    """A tiny ViT with a head and random weights, and the processor it was saved with."""
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=16, patch_size=8,
        id2label=names, initializer_range=0.5,
    )  # fmt: skip
    model = transformers.ViTForImageClassification(config).eval()
    model.save_pretrained(folder)
    transformers.ViTImageProcessor(
        size={"height": 16, "width": 16}, image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225]
    ).save_pretrained(folder)
    return model


MEANS: Json = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
PROCESSORS: dict[str, Callable[[], Any]] = {
    "ViT": lambda: transformers.ViTImageProcessor(size={"height": 16, "width": 16}, **MEANS),
    "CLIP": lambda: transformers.CLIPImageProcessor(size={"shortest_edge": 16}, crop_size=12),
    "MobileNetV2": lambda: transformers.MobileNetV2ImageProcessor(size={"shortest_edge": 18}, crop_size=16),
    "ConvNext": lambda: transformers.ConvNextImageProcessor(size={"shortest_edge": 16}, **MEANS),
    "MobileViT, channels turned round": lambda: transformers.MobileViTImageProcessor(
        size={"shortest_edge": 18}, crop_size=16
    ),
    "EfficientNet, normalised twice": lambda: transformers.EfficientNetImageProcessor(
        size={"height": 16, "width": 16}, **MEANS
    ),
    "neither scaled nor normalised": lambda: transformers.ViTImageProcessor(
        size={"height": 16, "width": 16}, do_rescale=False, do_normalize=False
    ),
    "normalised alone": lambda: transformers.ViTImageProcessor(
        size={"height": 16, "width": 16}, do_rescale=False, image_mean=[100.0, 110.0, 120.0], image_std=[50.0] * 3
    ),
}


@pytest.mark.parametrize("name", PROCESSORS)
def test_pixels_are_the_processor_s_to_the_bit(name: str, tmp_path: Path) -> None:
    PROCESSORS[name]().save_pretrained(tmp_path)
    processor = transformers.AutoImageProcessor.from_pretrained(tmp_path)
    (tmp_path / "kept").mkdir()
    pixels.resize(tmp_path, images(), tmp_path / "kept")
    found = pixels.load(tmp_path / "kept")
    expected = processor([image.convert("RGB") for image in images()], return_tensors="pt")["pixel_values"]
    assert torch.equal(found.batch(ROWS, CPU)["pixel_values"], expected.float())
    assert found.pixels.dtype == (np.float32 if "twice" in name else np.uint8)
    turned = PixelRows(found, ROWS[::-1]).batch(np.array([1]), CPU)["pixel_values"]
    assert torch.equal(turned, expected[2:3].float())
    assert torch.equal(found.batch(ROWS, CPU)["pixel_values"], expected.float())  # what is kept was not overwritten


def test_what_was_done_to_pixels_is_said(tmp_path: Path) -> None:
    PROCESSORS["MobileNetV2"]().save_pretrained(tmp_path)
    (tmp_path / "kept").mkdir()
    pixels.resize(tmp_path, images(), tmp_path / "kept")
    assert pixels.load(tmp_path / "kept").preprocessing == {
        "processor": "MobileNetV2ImageProcessor", "backend": "torchvision", "size": {"shortest_edge": 18},
        "resample": "bilinear", "crop": {"height": 16, "width": 16}, "scale": 1 / 255, "mean": [0.5] * 3,
        "std": [0.5] * 3,
    }  # fmt: skip


def as_is(folder: Path, task: tuple[Json, Json], batch: int) -> Any:
    """A zero-shot trial by the model's own head."""
    made = trial(folder, task, "zero-shot")
    made.regime.update({"way": "own-head", "way_version": plugins.load("zeroshot", "own-head").VERSION})
    made.training["evaluation_batch_size"] = batch
    return made


def by_script(folder: Path, pictures: list[Any], batch: int) -> torch.Tensor:
    """Log-probabilities as ten lines of transformers give them."""
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    model = transformers.AutoModelForImageClassification.from_pretrained(folder).eval()
    found = []
    with torch.inference_mode():
        for start in range(0, len(pictures), batch):
            chunk = [image.convert("RGB") for image in pictures[start : start + batch]]
            found.append(model(**processor(chunk, return_tensors="pt")).logits)
    return torch.cat(found)


def shown(model: Path, task: tuple[Json, Json], batch: int, folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """What the head says of the test split: asked as a trial, and by the script."""
    seen, logits = list[np.ndarray](), classification_head.logits

    def kept(*given: Any) -> np.ndarray:
        seen.append(logits(*given))
        return seen[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classification_head, "logits", kept)
        context, _, adapted = adapt(as_is(model, task, batch), folder / "results")
        part = context.parts["test"]
        adapted.predict(part)
    pictures = [context.examples("test").inputs[row] for row in part.indices]
    return torch.from_numpy(seen[0]), by_script(model, pictures, batch)


@pytest.mark.parametrize("batch", [1, 64])
def test_as_is_gives_the_logits_of_processor_and_model_to_the_bit(batch: int, tmp_path: Path) -> None:
    vit(tmp_path / "model", {0: "light", 1: "dark", 2: "other"})
    found, expected = shown(tmp_path / "model", image_task(tmp_path, 140), batch, tmp_path)
    assert found.shape == (140, 3)
    assert torch.equal(found, expected)


def test_every_regime_reads_the_same_pixels_and_no_image_is_decoded_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vit(tmp_path / "model", {0: "light", 1: "dark", 2: "other"})
    task = image_task(tmp_path)
    made = [as_is(tmp_path / "model", task, 8), trial(tmp_path / "model", task, "linear-probe", {"C": 1.0})]
    context, _, _ = adapt(made[0], tmp_path / "results")  # leaks are looked for, in decoded images
    decoded, decode = list[int](), Pictures.__getitem__

    def counted(pictures: Pictures, row: int) -> Any:
        decoded.append(row)
        return decode(pictures, row)

    monkeypatch.setattr(Pictures, "__getitem__", counted)
    records: list[Json] = [{}, {}]
    for one, record in zip(made, records, strict=True):
        run(order(one, tmp_path / "results"), CPU, 1, lambda *at: None, record)
        assert "test" in record["scores"]
    images = len(context.parts["test"].indices) + len(context.data.rows["train"])
    assert len(decoded) == 2 * images  # for the models, and for the baseline of edges and colours
    assert records[0]["facts"]["preprocessing"] == records[1]["facts"]["preprocessing"]
    assert records[0]["facts"]["preprocessing"]["mean"] == [0.485, 0.456, 0.406]
    assert "tokenise" in records[0]["costs"]["seconds"]


def hymenoptera(folder: Path, count: int) -> Path:
    """Real photos of ants and bees as splits of folders, so many in each class of each split."""
    for split in ("train", "test"):
        table = parquet.read_table(MIRROR / f"datasets/mirror/hymenoptera/data/{split}-00000-of-00001.parquet")
        rows = table.to_pylist()
        for label, name in enumerate(("ants", "bees")):
            (folder / split / name).mkdir(parents=True)
            for number, row in enumerate([row for row in rows if row["label"] == label][:count]):
                (folder / split / name / f"{number:03}.jpg").write_bytes(row["image"]["bytes"])
    return folder


@pytest.mark.hub
@pytest.mark.parametrize("batch", [1, 64])
def test_a_real_mobilenet_gives_the_logits_of_processor_and_model_to_the_bit(batch: int, tmp_path: Path) -> None:
    model = MIRROR / "models/mirror/mobilenet-v2-1.0-224"
    if not model.is_dir():
        pytest.skip("there is no Hub mirror here")
    spec, location = image_task(tmp_path, 4)
    location["folder"] = str(hymenoptera(tmp_path / "photos", 33))
    source = plugins.load("data_sources", "folder")
    spec["data"]["fingerprint"] = source.lock(source.Parameters.model_validate(location))["fingerprint"]
    spec["parameters"] |= {"labels": ["ants", "bees"], "label_map": {"ant, emmet, pismire": "ants", "bee": "bees"}}
    found, expected = shown(model, (spec, location), batch, tmp_path)
    assert found.shape == (66, 1001)
    assert torch.equal(found, expected)
