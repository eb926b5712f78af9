"""A digest of one input of a task by its content, by which equal examples are found."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def digest(value: Any) -> bytes:
    """Of text, several texts, turns of a conversation, an image's pixels as models see them, or a sound's samples.

    A sound is `{"array", "sampling_rate"}`, as `datasets` decodes one, or `{"bytes", "path"}`, as it keeps one.
    """
    return hashlib.sha256(_content(value)).digest()


def _content(value: Any) -> bytes:
    if hasattr(value, "convert"):  # an image of Pillow's
        return repr(value.size).encode() + bytes(value.convert("RGB").tobytes())
    if hasattr(value, "get_all_samples"):  # a sound that is decoded when asked for
        value = {"array": value["array"], "sampling_rate": value["sampling_rate"]}
    if isinstance(value, Mapping):
        return _of_mapping(value)
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape} ".encode() + value.tobytes()
    if isinstance(value, str) or all(isinstance(part, str) for part in value):
        return "\0".join([value] if isinstance(value, str) else value).encode()
    if any(isinstance(part, Mapping | np.ndarray) or hasattr(part, "convert") for part in value):
        return b"".join(digest(part) for part in value)
    return json.dumps(value, ensure_ascii=False).encode()


def _of_mapping(value: Mapping[str, Any]) -> bytes:
    """Where a file lies is not what it holds."""
    if "array" in value:
        return f"{value.get('sampling_rate')} ".encode() + _content(np.asarray(value["array"]))
    if set(value) == {"bytes", "path"}:
        return bytes(value["bytes"]) if value["bytes"] is not None else Path(value["path"]).read_bytes()
    parts = {
        key: part if isinstance(part, str | int | float | None) else digest(part).hex() for key, part in value.items()
    }
    return json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()
