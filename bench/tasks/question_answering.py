"""Answer a question about a context, by words that stand in it; some questions may have no answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field, field_validator

from bench.errors import DataError
from bench.modeling import written
from bench.modeling.examples import Examples
from bench.modeling.writers import Decoding, extracts

if TYPE_CHECKING:
    from bench.modeling.extraction import Windows
    from bench.modeling.pairs import Pairs

VERSION = 1
MODALITY = "text"
GIVES = "spans"
METRIC = "token-f1"
COLUMNS = {"question": True, "context": True, "answers": True}
BASELINE = "lead"
_SHAPE = "{text: [...], answer_start: [...]}, as SQuAD has them"


class Parameters(written.Written):
    """Windows and spans for models that extract; template, lengths and decoding for models that write."""

    unanswerable: bool = Field(False, description="whether questions may have no answer, as in SQuAD 2.0")
    max_length: Annotated[int, Field(ge=16)] = Field(
        384, description="tokens of a window: question and context; longer contexts take several"
    )
    stride: Annotated[int, Field(ge=1)] = Field(128, description="tokens of the context two windows share")
    max_answer: Annotated[int, Field(ge=1)] = Field(30, description="tokens an extracted answer may have")
    template: str = Field(
        "Context: {context}\nQuestion: {question}\nAnswer:", description="what a model reads that writes the answer"
    )
    max_source: written.Length = Field(512, description="tokens a model that writes reads; longer contexts are cut")
    max_target: written.Length = Field(64, description="tokens; longer answers are cut in training")
    decoding: Decoding = Field(
        default=Decoding.model_validate({"max_new_tokens": 64}), description="beams, max_new_tokens, …"
    )

    @field_validator("template")
    @classmethod
    def _holds_text(cls, template: str) -> str:
        if template.count("{context}") != 1 or template.count("{question}") != 1:
            raise ValueError("must hold {context} once and {question} once")
        return template


def examples(dataset: Any, columns: dict[str, str], parameters: Parameters, place: str) -> Examples:
    """Pairs of question and context, and their answers; subsets are stratified by whether there is one.

    Raises DataError with the row.
    """
    questions, contexts, answers = (list(dataset[columns[role]]) for role in COLUMNS)
    for row, (question, context, found) in enumerate(zip(questions, contexts, answers, strict=True)):
        for role, text in (("question", question), ("context", context)):
            if not isinstance(text, str) or not text.strip():
                raise DataError(f"{place}, row {row}: column '{columns[role]}' holds no text; leave the row out")
        where = f"{place}, row {row}, column '{columns['answers']}'"
        _check(found, context, where)
        if not found["text"] and not parameters.unanswerable:
            raise DataError(f"{where}: no answer; set `unanswerable: true`, or leave the row out")
    answers = [{key: found[key] or [] for key in ("text", "answer_start")} for found in answers]
    none = np.array([not found["text"] for found in answers], dtype=np.int64)
    return Examples(list(zip(questions, contexts, strict=True)), none, answers)


def encode(folder: Path, examples: Examples, parameters: Parameters, target: Path) -> None:
    """Tokenise windows, or prompts and answers, with the model's tokenizer and keep the result in `target`."""
    from bench.modeling import extraction, pairing
    from bench.modeling.facts import Facts
    from bench.modeling.files import configs

    answers = examples.targets or []
    if extracts(Facts.from_files(configs(folder, str(folder)))):
        lengths = {"max_length": parameters.max_length, "stride": parameters.stride}
        extraction.encode(folder, examples.inputs, answers, target=target, **lengths)
        return
    pairing.encode(
        folder,
        [context for _, context in examples.inputs],
        [list(found["text"]) or [""] for found in answers],
        target_folder=target,
        max_source=parameters.max_source,
        max_target=parameters.max_target,
        template=[
            around(parameters.template, question)
            for question, _ in [*examples.inputs, *(source for source, _ in examples.shots)]
        ],
        languages=parameters.languages,
        shots=[(context, answer) for (_, context), answer in examples.shots],
    )


def around(template: str, question: str) -> tuple[str, str]:
    """What stands before the context, and after it. Braces in a question or a context mean nothing."""
    before, after = template.split("{context}")
    return before.replace("{question}", question), after.replace("{question}", question)


def load(target: Path) -> Windows | Pairs:
    """What `encode` kept."""
    from bench.modeling import extraction, pairs

    return pairs.load(target) if (target / "pairs.json").exists() else extraction.load(target)


def baseline(source: tuple[str, str]) -> str:
    """What takes no model: the context's first sentence."""
    return written.sentences(source[1])[0]


def _check(found: Any, context: str, place: str) -> None:
    """Raises DataError unless these are answers that stand where they say."""
    known = isinstance(found, dict) and {"text", "answer_start"} <= found.keys()
    texts, starts = (found["text"] or [], found["answer_start"] or []) if known else (None, None)
    if not isinstance(texts, list) or not isinstance(starts, list) or len(texts) != len(starts):
        raise DataError(f"{place}: expected {_SHAPE}, found {str(found)[:60]!r}")
    for text, start in zip(texts, starts, strict=True):
        if not isinstance(text, str) or not text.strip() or type(start) is not int:
            raise DataError(f"{place}: expected {_SHAPE}, found {str(found)[:60]!r}")
        if start < 0 or context[start : start + len(text)] != text:
            raise DataError(
                f"{place}: '{text[:40]}' does not stand at {start} of its context; mend answer_start (it counts "
                f"characters from 0), or leave the row out"
            )
