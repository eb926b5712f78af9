"""Write a text from a prompt: data to text, an instruction and its answer, the next turn of a conversation."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.errors import DataError
from bench.modeling import dialogue, written
from bench.modeling.dialogue import Source
from bench.modeling.examples import Examples
from bench.modeling.written import encode, load

__all__ = ["encode", "load"]

VERSION = 1
MODALITY = "text"
GIVES = "texts"
METRIC = "bleu"
COLUMNS = {"prompt": True, "answer": True, "messages": False}
INSTEAD = {"messages": ("prompt", "answer")}
BASELINE = "copy"


class Parameters(written.Written):
    """template, languages, lengths and decoding."""


def examples(dataset: Any, columns: dict[str, str], parameters: Parameters, place: str) -> Examples:
    """The data set's prompts, texts or conversations, and their references.

    A column of whole conversations (`messages`) gives both: the last message is the answer, by the assistant.
    Raises DataError naming the column and the row.
    """
    if "messages" not in columns:
        return written.examples(dataset, columns["prompt"], columns["answer"], place, _source)
    column = columns["messages"]
    if len(columns) > 1:
        raise DataError(f"{place}: give messages alone under columns, or prompt and answer")
    inputs, references = [], []
    for row, value in enumerate(dataset[column]):
        *turns, answer = dialogue.read(value, "assistant", f"{place}, row {row}, column '{column}'")
        if not turns or turns[-1].role != "user" or not answer.content.strip():
            raise DataError(f"{place}, row {row}, column '{column}': no answer to a user's message; leave the row out")
        inputs.append(tuple(turns))
        references.append([answer.content])
    return Examples(inputs, np.zeros(len(inputs), dtype=np.int64), references)


def _source(value: Any, place: str) -> Source:
    return dialogue.read(value, "user", place) if dialogue.is_one(value) else written.text(value, place)


def baseline(source: Source) -> str:
    """What takes no model: the prompt as it is, of a conversation the user's last message."""
    return dialogue.asked(source)
