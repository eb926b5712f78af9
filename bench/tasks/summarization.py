"""Say in a few sentences what a text says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.modeling import written
from bench.modeling.examples import Examples

if TYPE_CHECKING:
    from bench.modeling.pairs import Pairs

VERSION = 1
MODALITY = "text"
GIVES = "texts"
METRIC = "rouge-l"
COLUMNS = {"document": True, "summary": True}
BASELINE = "lead"


class Parameters(written.Written):
    """template, languages, lengths and decoding."""


def examples(dataset: Any, columns: dict[str, str], parameters: Parameters, place: str) -> Examples:
    """The data set's texts and their references. Raises DataError naming the column and the row."""
    return written.examples(dataset, columns["document"], columns["summary"], place)


def encode(folder: Path, examples: Examples, parameters: Parameters, target: Path) -> None:
    """Tokenise with the model's tokenizer and keep the result in `target`."""
    written.encode(folder, examples, parameters, target)


def load(target: Path) -> Pairs:
    """What `encode` kept."""
    from bench.modeling import pairs

    return pairs.load(target)


def baseline(source: str) -> str:
    """What takes no model: its first three sentences."""
    return " ".join(re.split(r"(?<=[.!?])\s+|(?<=[。！？])", source)[:3])
