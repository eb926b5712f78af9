"""Answer a question about a context, by words that stand in it; some questions may have no answer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field, field_validator

from bench.contracts import TaskKind
from bench.data.column_kinds import Fit, Table
from bench.data.examples import Examples
from bench.data.row_problems import Problems
from bench.modeling.encoding import references
from bench.modeling.models.generation_models import Decoding, extracts
from bench.modeling.prompts.fill_template import around_context

if TYPE_CHECKING:
    from bench.modeling.encoding.context_windows import Windows
    from bench.modeling.encoding.source_target_arrays import Pairs

_SHAPE = "{text: [...], answer_start: [...]}, as SQuAD has them"


class QuestionAnsweringParameters(references.GenerationParameters):
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
    max_source: references.Length = Field(512, description="tokens a model that writes reads; longer contexts are cut")
    max_target: references.Length = Field(64, description="tokens; longer answers are cut in training")
    decoding: Decoding = Field(
        default=Decoding.model_validate({"max_new_tokens": 64}), description="beams, max_new_tokens, …"
    )

    @field_validator("template")
    @classmethod
    def _holds_text(cls, template: str) -> str:
        if template.count("{context}") != 1 or template.count("{question}") != 1:
            raise ValueError("must hold {context} once and {question} once")
        return template

    def most_tokens(self) -> int:
        """Tokens of an example that a model reads."""
        return self.max_length


class QuestionAnswering(TaskKind[QuestionAnsweringParameters]):
    """Answers to a question about a context."""

    Parameters = QuestionAnsweringParameters
    VERSION = 1
    MODALITY = "text"
    OBJECTIVE = "spans"
    METRIC = "token-f1"
    COLUMNS = {"question": True, "context": True, "answers": True}
    BASELINE = "lead"

    def recognise(self, table: Table) -> Fit | None:
        """SQuAD's columns, by what they hold."""
        answers = table.label or next(iter(table.of("answers")), None)
        texts = table.of("texts")
        question = table.text or table.called(("question", "query"), texts)
        rest = [name for name in texts if name not in (question, "id", "title")]
        context = table.called(("context", "passage", "paragraph", "document", "text"), rest)
        context = context or max(rest, key=table.length, default=None)
        if answers not in table.of("answers") or question not in texts or context is None:
            return None
        metrics = ["token-f1", "exact-match"]
        own: dict[str, Any] = {
            "metrics": [f"{name}-char" for name in metrics] if table.is_unspaced(context) else metrics,
            "max_length": max(64, table.tokens(question, context, most=384)),
        }
        own["stride"] = min(128, own["max_length"] // 4)
        if any(not (found or {}).get("text") for found in table.rows[answers]):
            own["unanswerable"] = True
        columns = {"question": question, "context": context, "answers": answers}
        because = f"'{answers}' holds answers and where they start, as SQuAD's"
        return Fit(columns, 0.97, because, table.model("distilbert/distilbert-base-cased", context), own)

    def examples(
        self, dataset: Any, columns: Mapping[str, str], parameters: QuestionAnsweringParameters, place: str
    ) -> Examples:
        """Pairs of question and context, and their answers; subsets are stratified by whether there is one.

        Raises DataError with the rows.
        """
        return self._read(dataset, columns, parameters, place, judged=False)

    def test_examples(
        self, dataset: Any, columns: Mapping[str, str], parameters: QuestionAnsweringParameters, place: str
    ) -> Examples:
        """The same of a split that answers are only compared with: where an answer stands is not asked."""
        return self._read(dataset, columns, parameters, place, judged=True)

    def _read(
        self,
        dataset: Any,
        columns: Mapping[str, str],
        parameters: QuestionAnsweringParameters,
        place: str,
        *,
        judged: bool,
    ) -> Examples:
        """judged: whether nothing is learnt from them, so that it does not matter where an answer stands."""
        questions, contexts, answers = (list(dataset[columns[role]]) for role in self.COLUMNS)
        problems = Problems(place)
        read = []
        for row, (question, context, given) in enumerate(zip(questions, contexts, answers, strict=True)):
            for role, text in (("question", question), ("context", context)):
                if not isinstance(text, str) or not text.strip():
                    problems.add(row, None, f"column '{columns[role]}' holds no text; leave the row out")
            found = _answers(given)
            if found is None or (not judged and len(found["text"]) != len(found["answer_start"])):
                problems.add(row, columns["answers"], f"expected {_SHAPE}, found {str(given)[:60]!r}", "shape")
            elif not found["text"] and not parameters.unanswerable:
                problems.add(row, columns["answers"], "no answer; set `unanswerable: true`, or leave the row out")
            elif judged:
                read.append({"text": found["text"], "answer_start": [-1] * len(found["text"])})
            else:
                read.append(found)
                _check_places(problems, row, columns["answers"], found, context)
        problems.check()
        none = np.array([not found["text"] for found in read], dtype=np.int64)
        return Examples(list(zip(questions, contexts, strict=True)), none, read)

    def encode(self, folder: Path, examples: Examples, parameters: QuestionAnsweringParameters, target: Path) -> None:
        """Tokenise windows, or prompts and answers, with the model's tokenizer and keep the result in `target`."""
        from bench.modeling.encoding import context_windows, source_target
        from bench.modeling.models.facts import Facts
        from bench.modeling.models.files import configs

        answers = examples.targets or []
        if extracts(Facts.from_files(configs(folder, str(folder)))):
            lengths = {"max_length": parameters.max_length, "stride": parameters.stride}
            context_windows.encode(folder, examples.inputs, answers, target=target, **lengths)
            return
        source_target.encode(
            folder,
            [context for _, context in examples.inputs],
            [list(found["text"]) or [""] for found in answers],
            target_folder=target,
            max_source=parameters.max_source,
            max_target=parameters.max_target,
            template=[
                around_context(parameters.template, question)
                for question, _ in [*examples.inputs, *(source for source, _ in examples.shots)]
            ],
            languages=parameters.languages,
            shots=[(context, answer) for (_, context), answer in examples.shots],
        )

    def load(self, folder: Path) -> Windows | Pairs:
        """What `encode` kept."""
        from bench.modeling.encoding import context_windows, source_target_arrays

        return source_target_arrays.load(folder) if (folder / "pairs.json").exists() else context_windows.load(folder)

    def baseline(self, source: tuple[str, str]) -> str:
        """What takes no model: the context's first sentence."""
        return references.sentences(source[1])[0]


def _answers(found: Any) -> dict[str, list[Any]] | None:
    """The answers' texts, and where they are said to stand; None where these are none."""
    if not isinstance(found, dict) or "text" not in found:
        return None
    texts, starts = found["text"] or [], found.get("answer_start") or []
    if not isinstance(texts, list) or not all(isinstance(text, str) and text.strip() for text in texts):
        return None
    return {"text": texts, "answer_start": list(starts)}


def _check_places(problems: Problems, row: int, column: str, found: dict[str, list[Any]], context: Any) -> None:
    """Adds an answer that does not stand where it says."""
    for text, start in zip(found["text"], found["answer_start"], strict=True):
        if type(start) is not int or start < 0 or str(context)[start : start + len(text)] != text:
            said = f"'{text[:40]}' does not stand at {start} of its context; mend answer_start (it counts characters "
            problems.add(row, column, said + "from 0), or leave the row out", "start")
            return
