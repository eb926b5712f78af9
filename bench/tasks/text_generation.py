"""Write a text from a prompt: data to text, an instruction and its answer, the next turn of a conversation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.data.column_kinds import Fit, Table
from bench.data.examples import Examples
from bench.data.row_problems import Problems
from bench.errors import DataError
from bench.modeling.encoding import references
from bench.modeling.encoding.references import GenerationParameters, GenerationTask
from bench.modeling.prompts import conversations
from bench.modeling.prompts.conversations import Source, Turn

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
PROMPTS = (
    ("prompt", "answer"), ("prompt", "completion"), ("prompt", "response"), ("instruction", "output"),
    ("instruction", "response"), ("question", "answer"), ("query", "response"), ("input", "output"),
    ("meaning_representation", "references"), ("meaning_representation", "human_reference"), ("source", "target"),
)  # fmt: skip
"""What a prompt and its answer are called, the likeliest first."""


class TextGeneration(GenerationTask[GenerationParameters]):
    """An answer a prompt."""

    Parameters = GenerationParameters
    VERSION = 1
    METRIC = "bleu"
    COLUMNS = {"prompt": True, "answer": True, "messages": False}
    INSTEAD = {"messages": ("prompt", "answer")}
    BASELINE = "copy"

    def recognise(self, table: Table) -> Fit | None:
        """Whole conversations; or a prompt and its answer, by what such columns are called."""
        talks = table.of("messages")
        talk = (
            table.text
            if table.text in talks
            else table.called(("messages", "conversation", "dialogue", "turns"), talks)
        )
        talk = talk or next(iter(talks), None)
        prose = [
            name for name in table.of("texts", "lists of texts") if table.types[name] != "texts" or table.is_free(name)
        ]
        if talk is not None and table.text in (None, talk):
            whole = all((turns or [{}])[-1].get("role") == "assistant" for turns in table.rows[talk])
            answer = table.label or (None if whole else table.called([answer for _, answer in PROMPTS], prose))
            if whole == (answer is None):
                columns = {"messages": talk} if answer is None else {"prompt": talk, "answer": answer}
                return Fit(
                    columns, 0.93, f"'{talk}' holds conversations", MODEL, _own(table, talk, answer or talk), asks=True
                )
        for one, other in PROMPTS:
            prompt, answer = table.text or table.called([one], prose), table.label or table.called([other], prose)
            if prompt != answer and {prompt, answer} <= {*prose}:
                because = f"'{prompt}' asks, '{answer}' answers"
                own = _own(table, str(prompt), str(answer))
                return Fit({"prompt": str(prompt), "answer": str(answer)}, 0.8, because, MODEL, own, asks=True)
        return None

    def examples(
        self, dataset: Any, columns: Mapping[str, str], parameters: GenerationParameters, place: str
    ) -> Examples:
        """The data set's prompts, texts or conversations, and their references.

        A column of whole conversations (`messages`) gives both: the last message is the answer, by the assistant.
        Raises DataError naming the column and the rows.
        """
        if "messages" not in columns:
            return super().examples(dataset, columns, parameters, place)
        column = columns["messages"]
        if len(columns) > 1:
            raise DataError(f"{place}: give messages alone under columns, or prompt and answer")
        problems = Problems(place)
        found = problems.each(dataset[column], column, _conversation)
        problems.check()
        return Examples(
            [turns for turns, _ in found], np.zeros(len(found), dtype=np.int64), [[answer] for _, answer in found]
        )

    def source(self, value: Any, place: str) -> Source:
        """A prompt, or the turns of a conversation that a user asks last. Raises DataError."""
        return (
            conversations.read(value, "user", place) if conversations.is_one(value) else references.text(value, place)
        )

    def baseline(self, source: Source) -> str:
        """What takes no model: the prompt as it is, of a conversation the user's last message."""
        return conversations.asked(source)


def _own(table: Table, prompt: str, answer: str) -> dict[str, Any]:
    metrics = ["bleu-char", "rouge-l-char"] if table.is_unspaced(answer) else ["bleu", "rouge-l"]
    return {"metrics": metrics, **references.lengths(table, prompt, answer)}


def _conversation(value: Any, place: str) -> tuple[tuple[Turn, ...], str]:
    """The turns, and the answer that follows them. Raises DataError."""
    *turns, answer = conversations.read(value, "assistant", place)
    if not turns or turns[-1].role != "user" or not answer.content.strip():
        raise DataError(f"{place}: no answer to a user's message; leave the row out")
    return tuple(turns), answer.content
