"""A tag for every word: named entities, parts of speech."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from bench.contracts import TaskKind
from bench.data.column_kinds import Fit, Table
from bench.data.examples import Examples, check_order, checked, rarest
from bench.data.row_problems import Problems
from bench.errors import DataError
from bench.suite.parameters import TaskParameters

if TYPE_CHECKING:
    from bench.modeling.encoding.words import Words


class TokenClassificationParameters(TaskParameters):
    """labels: the tags in the order of their numbers; label_map for the model's own; max_length in tokens."""

    labels: tuple[str, ...] = Field((), description="tag names, as O, B-person, I-person; empty: the data's own")
    label_map: dict[str, str] = Field({}, description="{tag of the model's own head: tag of the task}")
    max_length: Annotated[int, Field(ge=4)] = Field(128, description="tokens; words beyond count as O")

    def words(self) -> list[str]:
        """The tags."""
        return list(self.labels)

    def own_label_map(self) -> Mapping[str, str]:
        """{label of the model's own head: label of the task}."""
        return self.label_map

    def most_tokens(self) -> int:
        """Tokens of an example that a model reads."""
        return self.max_length


class TokenClassification(TaskKind[TokenClassificationParameters]):
    """A tag a word."""

    Parameters = TokenClassificationParameters
    VERSION = 1
    MODALITY = "text"
    OBJECTIVE = "tags"
    METRIC = "entity-f1"
    COLUMNS = {"tokens": True, "tags": True}

    def recognise(self, table: Table) -> Fit | None:
        """Lists of words, and as long lists of tags."""
        lists = table.of("lists of texts", "lists of numbers")
        words = [name for name in lists if table.types[name] == "lists of texts"]
        tokens = table.text or table.called(("tokens", "words"), words) or max(words, key=table.length, default=None)
        fits = [name for name in lists if name != tokens and tokens in words and _as_long(table, str(tokens), name)]
        tags = table.label or table.called(("ner_tags", "tags", "ner", "labels", "pos_tags", "upos"), fits)
        tags = tags or next(iter(fits), None)
        if tokens is None or tags not in fits:
            return None
        own = {**_tags(table, tags), "max_length": table.tokens(tokens)}
        because = f"'{tokens}' holds lists of words, '{tags}' a tag for each"
        return Fit(
            {"tokens": tokens, "tags": tags},
            0.95,
            because,
            table.model("distilbert/distilbert-base-cased", tokens),
            own,
        )

    def label_words(
        self, dataset: Any, columns: Mapping[str, str], parameters: TokenClassificationParameters, place: str
    ) -> list[str]:
        """The tags, from the suite, the data set's own names, or its distinct values. Raises DataError."""
        if parameters.labels:
            return list(parameters.labels)
        names = _names(dataset.features[columns["tags"]])
        if names is not None:
            return checked(names, columns["tags"], place)
        found = sorted(
            {tag for tags in _lists(dataset, columns["tags"], place) for tag in tags if tag is not None}, key=str
        )
        if not 2 <= len(found) <= 1000 or not all(isinstance(tag, str) for tag in found):
            raise DataError(
                f"{place}: column '{columns['tags']}' holds no tag names; list them under labels in their order"
            )
        return found

    def examples(
        self, dataset: Any, columns: Mapping[str, str], parameters: TokenClassificationParameters, place: str
    ) -> Examples:
        """Lists of words and of tag numbers; subsets are stratified by the rarest entity an example holds.

        Raises DataError with the rows.
        """
        words, tags = (_lists(dataset, columns[role], place) for role in ("tokens", "tags"))
        known = {name: number for number, name in enumerate(parameters.labels)}
        if len(known) == len(parameters.labels):  # an also_test set may call several of its tags one
            names = _names(dataset.features[columns["tags"]]) or []
            check_order(parameters.labels, names, f"{place}, column '{columns['tags']}'")
        targets = []
        problems = Problems(place)
        for row, (own, found) in enumerate(zip(words, tags, strict=True)):
            numbers = [known.get(tag, -1) if isinstance(tag, str) else tag for tag in found]
            wrong = [
                tag for tag, n in zip(found, numbers, strict=True) if type(n) is not int or not 0 <= n < len(known)
            ]
            odd = next((word for word in own if not isinstance(word, str)), "")
            if len(own) != len(found) or not own:
                problems.add(row, None, f"{len(own)} words and {len(found)} tags; give every word one", "unequal")
            elif odd != "":
                problems.add(
                    row, columns["tokens"], f"word {odd!r} is no text; correct it or leave the row out", "no text"
                )
            elif wrong:
                problems.add(row, None, f"tag {wrong[0]!r} is not among labels; known: {', '.join(known)}")
            else:
                targets.append(np.array(numbers, dtype=np.int64))
        problems.check()
        return Examples(words, rarest([_kinds(tags.tolist(), list(known)) for tags in targets]), targets)

    def encode(self, folder: Path, examples: Examples, parameters: TokenClassificationParameters, target: Path) -> None:
        """Tokenise with the model's tokenizer and keep the result in `target`."""
        from bench.modeling.encoding import words

        words.encode(folder, examples.inputs, parameters.max_length, target)

    def load(self, folder: Path) -> Words:
        """What `encode` kept."""
        from bench.modeling.encoding import words

        return words.load(folder)


def _as_long(table: Table, one: str, other: str) -> bool:
    """Whether a column's lists are as long as another's, and hold a few values again and again."""
    every = [tag for tags in table.rows[other] for tag in tags or ()]
    pairs = zip(table.rows[one], table.rows[other], strict=True)
    return 2 <= len(set(every)) <= len(every) // 2 and all(len(a or ()) == len(b or ()) for a, b in pairs)


def _tags(table: Table, column: str) -> dict[str, list[str]]:
    """The tags by name, where the data does not know them by itself: `O` is most likely the first number."""
    if _names(table.data.features[column]) is not None:
        return {}
    found = {tag for tags in table.data[column] for tag in tags or ()}
    if all(isinstance(tag, str) for tag in found):
        return {"labels": sorted(found, key=lambda tag: (tag != "O", tag))}
    return {"labels": ["O", *(f"tag-{number}" for number in range(1, max(found) + 1))]}


def _lists(dataset: Any, column: str, place: str) -> list[list[Any]]:
    """A column of lists; what is missing in it is empty. Raises DataError."""
    rows = list(dataset[column])
    if any(isinstance(row, str) for row in rows):
        raise DataError(
            f"{place}: column '{column}' holds texts, not lists of words or tags, which jsonl and parquet can"
        )
    return [list(row or ()) for row in rows]


def _kinds(tags: list[int], names: list[str]) -> set[str]:
    """The kinds of entities in an example."""
    return {names[tag].partition("-")[2] or names[tag] for tag in tags} - {"O"}


def _names(feature: Any) -> list[str] | None:
    inner = getattr(feature, "feature", None)
    names = getattr(inner, "names", None)
    return list(names) if names else None
