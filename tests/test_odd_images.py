"""Images as they come: of every mode and size the right pixels, or one sentence that names the row."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import transformers
from PIL import Image

from bench.data.images import Pictures
from bench.errors import DataError
from bench.modeling.encoding import pixels

RGB = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8))
DEEP = np.array([[0, 257], [32896, 65535]], dtype=np.uint16)
TURNED = Image.Exif()
TURNED[274] = 6  # orientation: to be turned by 90 degrees


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def column(*contents: bytes | None) -> Pictures:
    rows = [None if content is None else {"bytes": content, "path": None} for content in contents]
    features = datasets.Features({"image": datasets.Image()})
    return Pictures(datasets.Dataset.from_dict({"image": rows}, features=features), "image", "photos")


SEEN: dict[str, tuple[bytes, Any]] = {
    "colour": (saved(RGB, "PNG"), RGB),
    "grey": (saved(RGB.convert("L"), "PNG"), RGB.convert("L").convert("RGB")),
    "grey with alpha": (saved(RGB.convert("LA"), "PNG"), RGB.convert("L").convert("RGB")),
    "alpha": (saved(RGB.convert("RGBA"), "PNG"), RGB),
    "black and white": (saved(RGB.convert("1"), "PNG"), RGB.convert("1").convert("RGB")),
    "palette": (saved(RGB.convert("P"), "PNG"), RGB.convert("P").convert("RGB")),
    "palette with alpha": (
        saved(RGB.convert("RGBA").quantize(16), "PNG"), RGB.convert("RGBA").quantize(16).convert("RGBA").convert("RGB")
    ),
    "CMYK": (saved(RGB.convert("CMYK"), "TIFF"), RGB.convert("CMYK").convert("RGB")),
    "animated, its first frame": (
        saved(RGB.convert("P"), "GIF", save_all=True, append_images=[RGB.convert("P").rotate(180)]),
        opened(saved(RGB.convert("P"), "GIF")).convert("RGB"),
    ),
    "turned by its camera": (
        saved(RGB, "PNG", exif=TURNED), RGB.transpose(Image.Transpose.ROTATE_270)
    ),
    "one pixel": (saved(RGB.resize((1, 1)), "PNG"), RGB.resize((1, 1))),
    "three pixels high": (saved(RGB.resize((30, 3)), "PNG"), RGB.resize((30, 3))),
    "16 bits": (
        saved(Image.fromarray(DEEP), "PNG"), Image.fromarray((DEEP // 257).astype(np.uint8)).convert("RGB")
    ),
}  # fmt: skip
"""(a file, the RGB image that it holds)"""
CUT = saved(RGB, "JPEG", quality=95)[:400]
REFUSED = {
    "cut short": (CUT, "is no readable image"),
    "text": (b"no image", "is no image of a kind that Pillow reads"),
    "nothing": (b"", "is no image of a kind that Pillow reads"),
    "numbers": (saved(Image.fromarray(np.ones((2, 2), dtype=np.float32)), "TIFF"), "mode F, and nobody knows"),
    "absent": (None, "the image is missing"),
}


@pytest.mark.parametrize("name", SEEN)
def test_an_image_is_what_its_file_says(name: str) -> None:
    content, expected = SEEN[name]
    found = column(content)[0].convert("RGB")
    assert found.size == expected.size
    assert (np.asarray(found) == np.asarray(expected)).all()


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_image_is_named_with_its_row(name: str) -> None:
    content, message = REFUSED[name]
    with pytest.raises(DataError, match=rf"photos, row 1: .*{message}") as raised:
        column(SEEN["colour"][0], content)[1]
    assert " at 0x" not in str(raised.value)


@pytest.mark.parametrize("kind", ["ViTImageProcessor", "MobileNetV1ImageProcessor", "CLIPImageProcessor"])
def test_all_of_them_in_one_batch_are_what_each_is_alone(kind: str, tmp_path: Path) -> None:
    sizes = {"ViTImageProcessor": {"height": 16, "width": 16}}.get(kind, {"shortest_edge": 18})
    crop = {} if kind == "ViTImageProcessor" else {"crop_size": {"height": 16, "width": 16}}
    getattr(transformers, kind)(size=sizes, **crop).save_pretrained(tmp_path)
    (tmp_path / "all").mkdir()
    names = [name for name in SEEN if kind == "ViTImageProcessor" or "high" not in name]  # 18 pixels high: 180 wide
    pixels.resize(tmp_path, column(*(SEEN[name][0] for name in names)), tmp_path / "all")
    whole = pixels.load(tmp_path / "all").pixels[:]
    assert whole.shape == (len(names), 3, 16, 16)
    for row, name in enumerate(names):
        (tmp_path / name).mkdir()
        pixels.resize(tmp_path, column(SEEN[name][0]), tmp_path / name)
        assert (pixels.load(tmp_path / name).pixels[0] == whole[row]).all()
