"""Write a text from a prompt: data to text, an instruction and its answer, the next turn of a conversation."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.errors import DataError
from bench.modeling import dialogue, written
from bench.modeling.dialogue import Source, Turn
from bench.modeling.examples import Examples
from bench.modeling.problems import Problems
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
    Raises DataError naming the column and the rows.
    """
    if "messages" not in columns:
        return written.examples(dataset, columns["prompt"], columns["answer"], place, _source)
    column = columns["messages"]
    if len(columns) > 1:
        raise DataError(f"{place}: give messages alone under columns, or prompt and answer")
    problems = Problems(place)
    found = problems.each(dataset[column], column, _conversation)
    problems.check()
    return Examples(
        [turns for turns, _ in found], np.zeros(len(found), dtype=np.int64), [[answer] for _, answer in found]
    )


def _conversation(value: Any, place: str) -> tuple[tuple[Turn, ...], str]:
    """The turns, and the answer that follows them. Raises DataError."""
    *turns, answer = dialogue.read(value, "assistant", place)
    if not turns or turns[-1].role != "user" or not answer.content.strip():
        raise DataError(f"{place}: no answer to a user's message; leave the row out")
    return tuple(turns), answer.content


def _source(value: Any, place: str) -> Source:
    return dialogue.read(value, "user", place) if dialogue.is_one(value) else written.text(value, place)


def baseline(source: Source) -> str:
    """What takes no model: the prompt as it is, of a conversation the user's last message."""
    return dialogue.asked(source)
