"""What `bench init` sees of a data set: its columns by what they hold, in which task kinds recognise their own.

A task kind that can be recognised has `recognise(table)`, which gives a `Fit` or None. Of several that fit the surest
is written, and the others are named beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.data.scripts import unspaced
from bench.errors import DataError, UsageError, did_you_mean

LOOK = 2000
"""Rows that are looked at for what columns hold and how long texts are."""
MOST_LABELS = 1000
FEW = 20
"""More distinct numbers than this are measured, and are no classes, where they are fractions or called like a score."""
TEXT = ("text", "sentence", "review", "comment", "content", "body", "tweet", "message", "utterance", "passage")
LABELS = ("label", "labels", "class", "category", "target", "sentiment", "topic", "intent", "emotion", "language")
VALUES = ("value", "score", "similarity", "rating", "stars", "relevance", "difficulty", "readability")
IDS = ("id", "idx", "index", "guid", "uuid", "url")
"""What columns are called that number rows, as do those whose names end in `_id`: they are read by nobody."""
MULTILINGUAL = {
    "sentence-transformers/all-MiniLM-L6-v2": "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
    "distilbert/distilbert-base-cased": "distilbert/distilbert-base-multilingual-cased",
}
"""What stands for a model of English where a column is of another script."""
PAIRS = (
    ("premise", "hypothesis"), ("question", "sentence"), ("question", "passage"), ("query", "document"),
    ("text", "text_pair"), ("sentence", "sentence_pair"),
)  # fmt: skip


@dataclass
class Fit:
    """A kind of task that a table can be: which column plays which role, and what a suite should say besides.

    sure: from 0 to 1; because: what speaks for it, a clause; own: further keys of the task, `labels` among them;
    model: the Hub id of a small one that fits; asks: whether that answers without training.
    """

    columns: dict[str, str]
    sure: float
    because: str
    model: str
    own: dict[str, Any] = field(default_factory=dict)
    asks: bool = False


class Table:
    """A split's columns. text, label: those that the user names as what is read and what is to be told."""

    def __init__(self, data: Any, source: str, text: str | None = None, label: str | None = None) -> None:
        self.data, self.source = data, source
        self._distinct: dict[str, int] = {}
        self.names: list[str] = list(data.column_names)
        images = {name for name in self.names if type(data.features[name]).__name__ == "Image"}
        shown = data.select_columns([name for name in self.names if name not in images])
        self.rows: dict[str, list[Any]] = shown[: min(LOOK, len(data))]
        self.types = {name: "images" if name in images else self._type(name) for name in self.names}
        self.text, self.label = text, label
        for option, name in (("--text", text), ("--label", label)):
            for one in self.several(name) if name is not None else ():
                if one not in self.names:
                    raise UsageError(f"{option} {one}: {source} has no such column{did_you_mean(one, self.names)}")
        if text is not None and text == label:
            raise UsageError(
                f"--text {text} --label {label}: one column cannot be both; name two of {', '.join(self.names)}"
            )

    def __len__(self) -> int:
        return len(self.data)

    def several(self, name: str) -> list[str]:
        """The columns that a name means: itself, or those that it lists."""
        return [name] if name in self.names else [part.strip() for part in name.split(",")]

    def _type(self, name: str) -> str:
        """What most values of a column are, in one word of the plural."""
        found = [value for value in self.rows[name] if value is not None]
        if hasattr(self.data.features[name], "names"):
            return "classes"
        kinds = [_kind(value) for value in found]
        most = max(set(kinds), key=kinds.count, default="nothing")
        if most == "whole numbers" and "numbers" in kinds:
            return "numbers"
        return most if most != "empty lists" else max({*kinds} - {most}, key=kinds.count, default="empty lists")

    def described(self) -> str:
        """The columns and what they hold, for messages."""
        return ", ".join(f"{name} ({self.types[name]})" for name in self.names)

    def of(self, *types: str, but: Sequence[str] = ()) -> list[str]:
        """The columns that hold this, without those that play a role already or that the user names for another."""
        return [name for name in self.names if self.types[name] in types and name not in but]

    def called(self, words: Sequence[str], among: Sequence[str]) -> str | None:
        """The first of these columns that is called by one of the words, the first word first."""
        return next((name for word in words for name in among if name.lower() == word), None)

    def distinct(self, name: str) -> int:
        """How many different values a column of single values has, missing ones left out."""
        if name not in self._distinct:
            self._distinct[name] = len({v for v in self.data.unique(name) if not is_missing(v)})
        return self._distinct[name]

    @property
    def most(self) -> int:
        """The most classes a column may have here: they must repeat."""
        return min(MOST_LABELS, len(self) // 2)

    def prose(self, *more: str) -> list[str]:
        """The columns of texts that are prose, and those that hold more."""
        found = self.of("texts", *more, but=self.numbering)
        return [name for name in found if self.types[name] in more or self.is_free(name)]

    @property
    def numbering(self) -> list[str]:
        """The columns that number rows, by their names."""
        return [name for name in self.names if name.lower() in IDS or name.lower().endswith("_id")]

    def model(self, name: str, *columns: str) -> str:
        """A model's Hub id, or its like for many languages where one of these columns is of another script."""
        return MULTILINGUAL[name] if any(map(self.is_unspaced, columns)) else name

    def is_free(self, name: str) -> bool:
        """Whether a column of texts is prose, and no word out of a few."""
        return self.types[name] == "texts" and (self.distinct(name) > self.most or self.length(name) > 60)

    def length(self, name: str, share: float = 0.5) -> float:
        """Characters that so many of a column's texts (or lists of words) do not exceed."""
        lengths = sorted(
            len(value if isinstance(value, str) else " ".join(map(str, value or ""))) for value in self.rows[name]
        )
        return float(lengths[min(len(lengths) - 1, int(share * len(lengths)))]) if lengths else 0.0

    def tokens(self, *names: str, most: int = 256) -> int:
        """Tokens that nearly all texts of these columns together stay below, about: a power of two up to `most`."""
        need = 8.0
        for name in names:
            need += self.length(name, 0.95) * (1 if self.is_unspaced(name) else 1 / 3)
        return next((n for n in (32, 64, 128, 256, 512) if need <= n < most), most)

    def is_unspaced(self, name: str) -> bool:
        """Whether most letters of a column are of a script that puts no space between words, as Chinese."""
        return unspaced([str(value) for value in self.rows[name][:50]])

    def inputs(self, but: Sequence[str] = ()) -> dict[str, str]:
        """{"text": …} or, of two texts that belong together, {"text": …, "text_pair": …}; empty where there is none."""
        label = [] if self.label is None else self.several(self.label)
        found = self.of("texts", but=(*but, *label, *self.numbering))
        if self.text is not None:
            return {"text": self.text} if self.text in self.of("texts") else {}
        for first, second in (*PAIRS, *_alike(found)):
            one, other = self.called([first], found), self.called([second], found)
            if one and other and self.is_free(one):
                return {"text": one, "text_pair": other}
        chosen = self.called(TEXT, [name for name in found if self.is_free(name)])
        return {"text": chosen or max(found, key=self.length)} if found else {}

    def classes(self, but: Sequence[str] = ()) -> str | None:
        """The column whose values are a label's: as asked for, by its name, or that with the fewest values."""
        fits = [name for name in self.names if name not in but and self.is_label(name)]
        if self.label is not None:
            return self.label if self.label in fits else None
        return self.called(LABELS, fits) or min(fits, key=self.distinct, default=None)

    def is_label(self, name: str) -> bool:
        """Whether a column's values are a few that repeat; fractions are none."""
        if self.types[name] not in ("texts", "whole numbers", "numbers", "truth values", "classes"):
            return False
        if self.types[name] == "numbers":
            values = self.data.unique(name)
            if len(values) > FEW or not all(is_missing(v) or float(v).is_integer() for v in values):
                return False
        if name.lower() in VALUES and self.types[name] == "whole numbers" and self.distinct(name) > FEW:
            return False
        return 2 <= self.distinct(name) <= self.most

    def words(self, name: str) -> list[str] | dict[str, str]:
        """A label column's classes, as a suite lists them. Raises DataError where rows have none."""
        feature = self.data.features[name]
        if hasattr(feature, "names"):
            return list(feature.names)
        empty = [row for row, value in enumerate(self.data[name]) if is_missing(value)]
        if empty:
            raise DataError(
                f"{self.source}: {len(empty)} of {len(self)} rows have no label in column '{name}' (the first: row "
                f"{empty[0]}); fill them in, or take these rows out"
            )
        values = sorted(self.data.unique(name), key=str if self.types[name] == "texts" else None)
        whole = [int(value) if isinstance(value, float) and value.is_integer() else value for value in values]
        return {str(value): str(value) for value in whole}  # 1.0 is what pandas makes of 1 where a field is empty


def is_missing(value: Any) -> bool:
    """Whether a value of a column of single ones is none."""
    return value is None or value != value or (isinstance(value, str) and not value.strip())


def _alike(names: Sequence[str]) -> list[tuple[str, str]]:
    """Names that differ in their end alone: sentence1 and sentence2, text_a and text_b."""
    known = {name.lower() for name in names}
    ends = {"1": "2", "a": "b"}
    firsts = [name.lower() for name in names if len(name) > 1 and name[-1].lower() in ends]
    return [(name, other) for name in firsts if (other := name[:-1] + ends[name[-1]]) in known]


def _kind(value: Any) -> str:
    """What one value is, in one word of the plural."""
    if isinstance(value, bool):
        return "truth values"
    if isinstance(value, int | float | str):
        return {int: "whole numbers", float: "numbers", str: "texts"}[type(value)]
    if isinstance(value, dict):
        if {"text", "answer_start"} <= value.keys():
            return "answers"
        return "named choices" if {"text", "label"} <= value.keys() else "mappings"
    if isinstance(value, list):
        if not value:
            return "empty lists"
        inner = {type(part) for part in value if part is not None}
        if inner == {dict}:
            return "messages" if all({"role", "content"} <= (part or {}).keys() for part in value) else "lists"
        return {frozenset({str}): "lists of texts", frozenset({int}): "lists of numbers"}.get(frozenset(inner), "lists")
    return "other values"
