"""Inputs are the same where their content is: texts, images, sounds."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.data.content import digest


def sound(*samples: float, rate: int = 16_000) -> dict[str, object]:
    return {"path": None, "array": np.array(samples, dtype=np.float32), "sampling_rate": rate}


def test_sounds_are_told_apart_by_their_samples() -> None:
    assert digest(sound(0.1, 0.2)) == digest({**sound(0.1, 0.2), "path": "elsewhere.wav"})
    assert len({digest(sound(0.1, 0.2)), digest(sound(0.1, 0.3)), digest(sound(0.1, 0.2, rate=8000))}) == 3


def test_sounds_that_are_not_decoded_are_told_apart_by_their_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    kept = digest({"bytes": b"RIFF", "path": "b.wav"})
    assert kept == digest({"bytes": None, "path": str(tmp_path / "a.wav")})
    assert kept != digest({"bytes": b"RIFX", "path": "b.wav"})


def test_a_sound_that_is_decoded_when_asked_for_is_as_one_that_was() -> None:
    class Decoder:
        def get_all_samples(self) -> None: ...

        def __getitem__(self, key: str) -> object:
            return sound(0.1, 0.2)[key]

    assert digest(Decoder()) == digest(sound(0.1, 0.2))


def test_images_are_told_apart_by_their_pixels() -> None:
    black, white = Image.new("L", (2, 2), 0), Image.new("L", (2, 2), 255)
    assert digest(black) == digest(Image.new("RGB", (2, 2)))
    assert len({digest(black), digest(white), digest(Image.new("L", (4, 1)))}) == 3
    assert digest((black, "what is it")) != digest((white, "what is it"))


@pytest.mark.parametrize(
    ("value", "content"), [("a", "a"), (("a", "b"), "a\0b"), ([["user", "hé"]], '[["user", "hé"]]')]
)
def test_texts_keep_the_digests_that_decide_which_side_of_a_split_they_fall_on(value: object, content: str) -> None:
    assert digest(value) == hashlib.sha256(content.encode()).digest()
