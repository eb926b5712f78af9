"""`bench init`: a commented suite for a data set, that runs as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import ValidationError

from bench import plugins
from bench.errors import DataError, UsageError, did_you_mean
from bench.suite.yaml import scalar

MODELS = {
    "text-classification": "sentence-transformers/all-MiniLM-L6-v2",  # small, and answers zero-shot
    "image-classification": "openai/clip-vit-base-patch32",
}
LABEL_NAMES = ("label", "labels", "class", "category", "target", "sentiment", "topic")
MOST_LABELS = 1000
TEST_SHARE = 0.2
LOOK = 2000
"""Rows that are looked at for the length of texts."""


class Columns(NamedTuple):
    """The task kind, the column that is read and the column to predict."""

    kind: str
    inputs: str
    label: str


def suite_for(
    source: str, *, text: str | None = None, label: str | None = None, models: Sequence[str] = (),
    config: str | None = None,
) -> str:  # fmt: skip
    """A suite's YAML text for a file, a folder of images or a data set's Hub id; reads (and so downloads) the data.

    text, label: columns; None: found in the data. Raises DataError, HubError, UsageError.
    """
    where, splits = _open(source, config)
    name = re.sub(r"[^a-z0-9._-]+", "-", Path(source).stem.lower()).strip("-._")[:64] or "task"
    train = "train" if "train" in splits else max(splits, key=lambda split: len(splits[split]))
    data = splits[train]
    chosen = _columns(source, data, text, label)
    labels, keyed = _labels(source, data, chosen.label)
    test = next((s for s in ("test", "validation", "dev", "val") if s in splits and s != train
                 and _is_labelled(splits[s], chosen.label)), None)  # fmt: skip
    pool = len(data) if test else int(len(data) * (1 - TEST_SHARE))
    role = "text" if chosen.kind == "text-classification" else "image"
    note = "the words that zero-shot uses, in the order of the data's class numbers"
    if keyed:
        told = "put a telling word for its number" if all(scalar(v) != v for v in labels) else "the word for it"
        note = f"value in the data: {told}, which zero-shot uses"
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, keep_trailing_newline=True
    )
    return environment.get_template("suite.yaml.j2").render(
        folder=name, name=_word(name), kind=chosen.kind, data=_flow(where),
        models=_models(models or [MODELS[chosen.kind]]),
        columns=_flow({role: chosen.inputs, "label": chosen.label}),
        others=", ".join(_word(c) for c in data.column_names if c not in chosen),
        splits=_flow({"train": train, "test": test or TEST_SHARE}), carved=test is None,
        labels=[f"{_word(v)}: {_word(v)}" if keyed else f"- {_word(v)}" for v in labels], labels_note=note,
        max_length=_max_length(data, chosen.inputs) if role == "text" else None, blocks=2 if role == "text" else 1,
        sizes=_flow(_sizes(pool, len(labels))), pool=f"about {pool}",
    )  # fmt: skip


def _open(source: str, config: str | None) -> tuple[dict[str, Any], Any]:
    """How the suite names the data, and its splits."""
    import datasets

    from bench.data import files

    datasets.disable_progress_bars()
    path = Path(source).expanduser()
    if path.is_dir():
        kind, where = "folder", {"folder": str(path.absolute())}
    elif path.is_file():
        kind, where = "files", {"files": str(path.absolute())}
    elif path.suffix.lower() in files.FORMATS or source.startswith((".", "/", "~")) or source.count("/") > 1:
        raise DataError(
            f"{source}: no such file; give a csv, tsv, jsonl or parquet file, a folder of images or a Hub id"
        )
    else:
        kind, where = "hub", {"hub": source} | ({"config": config} if config else {})
    plugin = plugins.load("data", kind)
    try:
        parameters = plugin.Parameters.model_validate(where)
    except ValidationError as error:
        raise UsageError(
            f"{source}: neither a file or folder here nor a Hub id ({error.errors()[0]['msg']})"
        ) from error
    return where, plugin.fetch(parameters, plugin.lock(parameters)["fingerprint"])


def _columns(source: str, data: Any, text: str | None, label: str | None) -> Columns:
    """What is to be read and predicted, as asked for or as the values suggest."""
    import datasets

    names = list(data.column_names)
    for option, name in (("--text", text), ("--label", label)):
        if name is not None and name not in names:
            raise UsageError(f"{option} {name}: {source} has no such column{did_you_mean(name, names)}")
    images = [c for c in names if isinstance(data.features[c], datasets.Image)]
    if images and text is None:
        kind, inputs = "image-classification", images[0]
    else:
        texts = [c for c in names if _dtype(data, c) in ("string", "large_string") and (c != label or c == text)]
        if text not in (None, *texts):
            raise UsageError(f"--text {text}: this column of {source} holds {_dtype(data, str(text))}, not text")
        if not texts:
            raise DataError(f"{source}: no column holds text or images; its columns are {', '.join(names)}")
        kind, inputs = "text-classification", text or max(texts, key=lambda c: _lengths(data, c).mean())
    rest = [c for c in names if c != inputs]
    if label is None:
        fitting = {c: n for c in rest if 2 <= (n := _distinct(data, c)) <= _most(data)}
        if not fitting:
            raise DataError(
                f"{source}: no column has a few values that repeat, as a label's do (its columns: {', '.join(names)}); "
                "name it with --label"
            )
        label = min(fitting, key=lambda c: (c.lower() not in LABEL_NAMES, fitting[c]))
    if label == inputs:
        raise UsageError(f"--text {inputs} --label {label}: one column cannot be both; name two of {', '.join(names)}")
    return Columns(kind, inputs, label)


def _labels(source: str, data: Any, column: str) -> tuple[list[str], bool]:
    """The classes, and whether they are listed by the values in the data. Raises DataError where they are none."""
    feature = data.features[column]
    if hasattr(feature, "names"):
        return list(feature.names), False
    values = data.unique(column)
    if any(value is None or not str(value).strip() for value in values):
        row = next(i for i, value in enumerate(data[column]) if value is None or not str(value).strip())
        raise DataError(f"{source}, row {row}, column '{column}': empty; fill in its label or take the row out")
    if not 2 <= _distinct(data, column) <= _most(data):
        raise DataError(
            f"{source}, column '{column}': {len(values)} distinct values of type {_dtype(data, column)}; a label "
            f"has 2 to {_most(data)}, text or whole numbers; name another with --label"
        )
    return [str(value) for value in sorted(values, key=str if isinstance(values[0], str) else None)], True


def _dtype(data: Any, column: str) -> str:
    return str(getattr(data.features[column], "dtype", type(data.features[column]).__name__))


def _distinct(data: Any, column: str) -> int:
    """How many distinct values; 0 for a column that cannot be a label."""
    if not re.fullmatch(r"(large_)?string|u?int\d+|bool", _dtype(data, column)):
        return 0
    return len([value for value in data.unique(column) if value is not None])


def _most(data: Any) -> int:
    """The most values a label may have: they must repeat."""
    return min(MOST_LABELS, len(data) // 2)


def _lengths(data: Any, column: str) -> Any:
    """Characters of the first texts."""
    import numpy as np

    return np.array([len(text or "") for text in data[: min(LOOK, len(data))][column]])


def _max_length(data: Any, column: str) -> int:
    """Tokens that 95 % of the texts stay below at three characters a token: a power of two up to 256."""
    import numpy as np

    tokens = np.percentile(_lengths(data, column), 95) / 3 + 8
    return next((n for n in (32, 64, 128) if tokens <= n), 256)


def _is_labelled(data: Any, column: str) -> bool:
    """Whether a split has its labels; the Hub hides some as -1."""
    return column in data.column_names and not {None, -1} & set(data.unique(column))


def _sizes(pool: int, classes: int) -> list[int | str]:
    first = max(64, 8 * classes)
    sizes: list[int | str] = [first * 4**i for i in range(3) if first * 4**i <= 0.7 * pool]
    return [*sizes, "all"] if pool <= 32 * first or not sizes else sizes


def _models(models: Sequence[str]) -> list[tuple[str, str]]:
    """Names for models, no two alike, and how the suite says where they are."""
    entries: dict[str, str] = {}
    for model in models:
        folder = Path(model).expanduser()
        if not folder.is_dir():
            try:
                plugins.load("models", "hub").Parameters.model_validate({"hub": model})
            except ValidationError as error:
                raise UsageError(f"--model {model}: neither a folder here nor a Hub id") from error
        name = re.sub(r"[^\w.-]+", "-", folder.absolute().name.lower())[:60] or "model"
        name = name if name not in entries else f"{name}-{len(entries) + 1}"
        entries[name] = _flow({"folder": str(folder.absolute())}) if folder.is_dir() else _word(model)
    return [(_word(name), value) for name, value in entries.items()]


def _flow(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_word(k)}: {_flow(v)}' for k, v in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return _word(value) if isinstance(value, str) else json.dumps(value)


def _word(text: str) -> str:
    """A string as YAML: plain where nothing else could be meant, else in double quotes."""
    if re.fullmatch(r"[A-Za-z/][\w./-]*( [\w./-]+)*", text, re.ASCII) and isinstance(scalar(text), str):
        return text
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in json.dumps(text, ensure_ascii=False))
