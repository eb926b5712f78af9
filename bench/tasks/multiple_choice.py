"""Which of several choices is right, or goes on best from a context."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from bench.contracts import TaskKind
from bench.data.column_kinds import Fit, Table
from bench.data.examples import Examples
from bench.data.row_problems import Problems
from bench.suite.parameters import TaskParameters

if TYPE_CHECKING:
    from bench.modeling.encoding.choices import Choices


class MultipleChoiceParameters(TaskParameters):
    """templates are zero-shot's; max_length in tokens, of a context with a choice."""

    templates: tuple[str, ...] = Field((), description="for zero-shot, with {text} and {label}, which is a choice")
    max_length: Annotated[int, Field(ge=4)] = Field(128, description="tokens; longer pairs are cut")

    def own_templates(self) -> tuple[str, ...]:
        """The templates that the suite names."""
        return self.templates

    def most_tokens(self) -> int:
        """Tokens of an example that a model reads."""
        return self.max_length


class MultipleChoice(TaskKind[MultipleChoiceParameters]):
    """One right choice a context."""

    Parameters = MultipleChoiceParameters
    VERSION = 1
    MODALITY = "text"
    OBJECTIVE = "choices"
    METRIC = "accuracy"
    COLUMNS = {"context": True, "question": False, "choices": True, "label": True}
    SEVERAL = ("choices",)

    def recognise(self, table: Table) -> Fit | None:
        """A list of choices, or several columns of them, and which is right."""
        choices = _choices(table)
        if choices is None:
            return None
        taken = [choices, *table.several(choices)]
        label = table.label or table.called(("label", "answer", "answerkey", "correct", "gold", "target"), table.names)
        texts = [name for name in table.of("texts", but=[*taken, label or ""]) if name.lower() != "id"]
        context = table.text or table.called(("context", "passage", "article", "premise", "startphrase", "ctx"), texts)
        question = table.called(("question", "query", "goal", "stem"), [name for name in texts if name != context])
        context, question = (context, question) if context else (question, None)
        context = context or max(texts, key=table.length, default=None)
        if context not in texts or label in (None, context, *taken) or not _right(table, choices, str(label)):
            return None
        asked = {"context": str(context)} | ({"question": question} if question else {})
        own = {"max_length": min(256, 2 * table.tokens(*asked.values()))}
        because = f"'{label}' says which of '{choices}' is right"
        model = table.model("sentence-transformers/all-MiniLM-L6-v2", *asked.values())
        return Fit({**asked, "choices": choices, "label": str(label)}, 0.9, because, model, own, asks=True)

    def examples(
        self, dataset: Any, columns: Mapping[str, str], parameters: MultipleChoiceParameters, place: str
    ) -> Examples:
        """Inputs are (context, choice, choice, …), a question joined to its context by a space; labels and targets the
        position of the right choice. Raises DataError with the rows.

        choices: a column of lists; or of mappings with `text` and `label`, the choices' names; or several columns,
        whose names are then the choices'. label: a position from 0, a choice's name, a choice itself, or a letter
        from A.
        """
        contexts = [list(dataset[columns[role]]) for role in ("context", "question") if role in columns]
        several = columns["choices"] not in dataset.column_names
        names = [name.strip() for name in columns["choices"].split(",")]
        found = list(zip(*(dataset[name] for name in names), strict=True)) if several else dataset[columns["choices"]]
        inputs, targets = [], []
        rows: list[tuple[int, str, list[str], Sequence[str], Any]] = []
        problems = Problems(place)
        for row, (own, label) in enumerate(zip(found, dataset[columns["label"]], strict=True)):
            context = " ".join(str(part[row]) for part in contexts if part[row])
            called = names if several else own.get("label") or [] if isinstance(own, Mapping) else []
            choices = [*own.get("text", [])] if isinstance(own, Mapping) else [*(own or [])]
            if len(choices) < 2 or not all(isinstance(choice, str) and choice.strip() for choice in choices):
                problems.add(row, columns["choices"], f"expected two texts or more, found {_short(own)}", "texts")
                continue
            rows.append((row, context, choices, called, label))
        reading = _reading((label, choices, called) for *_, choices, called, label in rows)
        for row, context, choices, called, label in rows:
            position = _position(label, choices, called, reading)
            if position is None:
                hidden = " (labels that the Hub hides look like this)" if label in (-1, "-1", "", None) else ""
                said = f"{_short(label)} names none of the {len(choices)} choices{hidden}"
                problems.add(row, columns["label"], said, "position")
                continue
            targets.append(position)
            inputs.append((context, *choices))
        problems.check()
        return Examples(inputs, np.array(targets, dtype=np.int64), targets)

    def encode(self, folder: Path, examples: Examples, parameters: MultipleChoiceParameters, target: Path) -> None:
        """Tokenise every (context, choice) with the model's tokenizer and keep the result in `target`."""
        from bench.modeling.encoding import choices as choosing

        choosing.encode(folder, examples.inputs, parameters.max_length, target)

    def load(self, folder: Path) -> Choices:
        """What `encode` kept."""
        from bench.modeling.encoding import choices as choosing

        return choosing.load(folder)


def _choices(table: Table) -> str | None:
    """A column of lists, or several whose names differ by their last letter alone: ending0, ending1; A, B, C."""
    lists = table.of("lists of texts", "named choices")
    found = table.called(("choices", "options", "endings", "answers", "candidates", "alternatives"), lists)
    if found or lists:
        return found or lists[0]
    stems: dict[str, list[str]] = {}
    for name in table.of("texts"):
        stems.setdefault(name[:-1], []).append(name)
    known = ("choice", "option", "ending", "answer", "sol", "alternative", "candidate")
    for stem, names in stems.items():
        named = any(stem.lower().strip("_- ").endswith(word) for word in known)
        if len(names) > 2 or (len(names) == 2 and named):
            return ", ".join(names)
    return None


def _right(table: Table, choices: str, label: str) -> bool:
    """Whether the label names one of the choices in every row."""
    names = table.several(choices)
    rows = table.rows[choices] if choices in table.names else zip(*(table.rows[name] for name in names), strict=True)
    for own, said in zip(rows, table.rows[label], strict=True):
        called = own.get("label") or [] if isinstance(own, Mapping) else names if choices not in table.names else []
        if _position(said, list(own["text"] if isinstance(own, Mapping) else own or ()), called) is None:
            return False
    return True


def _readings(choices: Sequence[str], names: Sequence[str]) -> list[Sequence[str]]:
    """What a label may be: a choice's name, the choice itself, a letter or a position."""
    letters = [chr(ord("A") + number) for number in range(min(len(choices), 26))]
    return [names, choices, letters, [str(number) for number in range(len(choices))]]


def _reading(rows: Iterable[tuple[Any, Sequence[str], Sequence[str]]]) -> int | None:
    """The first reading that all labels fit, of (label, choices, their names): "1" must not mean the choice "1" in one
    row and the second choice in the others."""
    told = [(label.strip(), _readings(choices, names)) for label, choices, names in rows if isinstance(label, str)]
    return next((k for k in range(4) if told and all(label in known[k] for label, known in told)), None)


def _position(label: Any, choices: Sequence[str], names: Sequence[str], reading: int | None = None) -> int | None:
    """Which choice the label means."""
    readings = _readings(choices, names)
    for known in readings if reading is None else [readings[reading]]:
        if isinstance(label, str) and label.strip() in known:
            return list(known).index(label.strip())
    return label if isinstance(label, int) and not isinstance(label, bool) and 0 <= label < len(choices) else None


def _short(value: Any) -> str:
    return f"{str(value)[:40]!r}"
