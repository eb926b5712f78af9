"""`bench init`: a commented suite for a data set, that runs as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import ValidationError

from bench import plugins
from bench.contracts import TaskKind
from bench.data.column_kinds import LABELS, VALUES, Fit, Table, is_missing
from bench.data.row_files import FORMATS
from bench.errors import DataError, UsageError, did_you_mean
from bench.planning import installed
from bench.suite.yaml_flow import flow, word

TEST_SHARE = 0.2
TESTS = ("test", "validation", "dev", "val")
"""What splits to test on are called, the likeliest first."""
SURE = 0.25
"""A guess that is less sure is none where columns are left over that look as if they meant something."""
SINGLE = ("texts", "whole numbers", "numbers", "truth values", "classes", "nothing")
NOTES = {
    "max_length": "tokens; what is longer is cut (few of yours are). Time grows with it",
    "metrics": "the first is compared; `bench list metrics` has more",
    "template": "what the model reads; T5 knows this beginning from its own training",
    "stride": "tokens that a window moves on, or that two windows share",
    "unanswerable": "some of these questions have no answer",
    "max_source": "tokens that are read; longer texts are cut",
    "max_target": "tokens that are learnt to be written",
    "decoding": "how it is written: `beams: 4` is slower, and often better",
}
"""What the suite says of further keys of a task."""


def suite_for(
    source: str, test: str | None = None, *, kind: str | None = None, text: str | None = None,
    label: str | None = None, models: Sequence[str] = (), config: str | None = None,
) -> str:  # fmt: skip
    """A suite's YAML text for a file, a folder of images or a data set's Hub id; reads (and so downloads) the data.

    test: a file to test on; kind, text, label: the kind of task, and columns; None: found in the data.
    Raises DataError, HubError, UsageError.
    """
    installed.require()
    where, splits = _open(source, test, config)
    train = "train" if "train" in splits else max(splits, key=lambda split: len(splits[split]))
    table = Table(splits[train], source, text, label)
    chosen, fit, others = _recognise(table, kind)
    scored = _test(splits, train, fit, test)
    pool = len(table) if scored else int(len(table) * (1 - TEST_SHARE))
    name = re.sub(r"[^a-z0-9._-]+", "-", Path(source).stem.lower()).strip("-._")[:64] or "task"
    name = f"{name[:58]}-suite" if name.endswith("-smoke") else name
    plugin = plugins.load("tasks", chosen)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, keep_trailing_newline=True
    )
    taken = [name for column in fit.columns.values() for name in table.several(column)]
    return environment.get_template("suite.yaml.j2").render(
        folder=name, name=word(name), kind=chosen, because=fit.because, data=flow(where),
        models=_models(models or [fit.model]), others=others,
        columns=flow(fit.columns), rest=", ".join(word(c) for c in table.names if c not in taken),
        splits=flow({"train": train, "test": scored or TEST_SHARE}), carved=scored is None,
        labels=fit.own.get("labels"), lines=_labels(fit), labels_note=_labels_note(fit, plugin),
        own=[(f"{key}: {flow(value)}", _note(key, fit)) for key, value in _own(fit, models)],
        prompts=fit.asks and plugin.MODALITY == "text" and "templates" in plugin.Parameters.model_fields,
        answers=_answers(fit),
        asks=fit.asks or bool(models), blocks=2 if plugin.MODALITY == "text" else 1,
        objective=plugins.load("objectives", plugin.OBJECTIVE),
        sizes=flow(_sizes(pool, len(fit.own.get("labels", ())))), pool=f"about {pool}",
    )  # fmt: skip


def _open(source: str, test: str | None, config: str | None) -> tuple[dict[str, Any], Any]:
    """How the suite names the data, and its splits."""
    import datasets

    datasets.disable_progress_bars()
    path = Path(source).expanduser()
    where: dict[str, Any]
    if path.is_dir():
        kind, where = "folder", {"folder": str(path.absolute())}
    elif path.is_file():
        kind, where = "files", {"files": str(path.absolute())}
        if test is not None:
            where = {"files": {"train": where["files"], "test": str(Path(test).expanduser().absolute())}}
    elif path.suffix.lower() in FORMATS or source.startswith((".", "/", "~")) or source.count("/") > 1:
        raise DataError(
            f"{source}: no such file; give a csv, tsv, jsonl or parquet file, a folder of images or a Hub id"
        )
    else:
        kind, where = "hub", {"hub": source} | ({"config": config} if config else {})
    if test is not None and kind != "files":
        raise UsageError(f"{test}: a file to test on goes with a file to train on; {source} has splits of its own")
    plugin = plugins.load("data_sources", kind)
    try:
        parameters = plugin.Parameters.model_validate(where)
    except ValidationError as error:
        raise UsageError(
            f"{source}: neither a file or folder here nor a Hub id ({error.errors()[0]['msg']})"
        ) from error
    return where, plugin.fetch(parameters, plugin.lock(parameters)["fingerprint"])


def _recognise(table: Table, kind: str | None) -> tuple[str, Fit, list[tuple[str, str]]]:
    """The kind of task, how the table fits it, and what else it could be: each a kind and its columns."""
    known = {name: plugins.load("tasks", name) for name in plugins.names("tasks")}
    if kind is not None and kind not in known:
        raise UsageError(f"--kind {kind}: no kind of task that is known by its columns{did_you_mean(kind, known)}")
    found = {name: known[name].recognise(table) for name in ([kind] if kind else known)}
    fits = sorted(((name, fit) for name, fit in found.items() if fit), key=lambda one: -one[1].sure)
    doubtful = len(table.prose()) > 1 or table.called((*LABELS, *VALUES), table.names)
    if not fits or (kind is None and fits[0][1].sure < SURE and doubtful):
        raise _nothing(table, known, kind)
    (chosen, best), *others = fits
    return chosen, best, [(name, flow(fit.columns)) for name, fit in others if fit.sure > SURE]


def _nothing(table: Table, known: Mapping[str, TaskKind[Any]], kind: str | None) -> UsageError:
    """Why no kind of task fits, by what was asked for."""
    place, text, label = table.source, table.text, table.label or table.called((*LABELS, *VALUES), table.names)
    holds = f"its columns: {table.described()}"
    if table.types.get(str(text)) in ("whole numbers", "numbers", "truth values"):
        return UsageError(f"--text {text}: this column of {place} holds {table.types[str(text)]}, not text")
    if kind is not None:
        roles = ", ".join(f"{role}{'' if needed else ' (optional)'}" for role, needed in known[kind].COLUMNS.items())
        return DataError(
            f"{place}: no columns fit {kind}, which takes {roles}; name two by --text and --label; {holds}"
        )
    if not table.of("texts", "images", "messages", "lists of texts"):
        return DataError(f"{place}: no column holds text or images; {holds}")
    if table.types.get(str(label)) in SINGLE:
        return DataError(
            f"{place}, column '{label}': {table.distinct(str(label))} different {table.types[str(label)]} in "
            f"{len(table)} rows; a label has 2 to {table.most}; name another with --label, or say --kind"
        )
    return DataError(
        f"{place}: no column has a few values that repeat, as a label's do; name it with --label, or say what this "
        f"is by --kind, one of {', '.join(known)}; {holds}"
    )


def _test(splits: Any, train: str, fit: Fit, test: str | None) -> str | None:
    """The split to test on, if one has what is to be told. Raises DataError where the file given for it has not."""
    for split in TESTS:
        if split in splits and split != train and (problem := _lacks(splits[split], fit)) is None:
            return split
        if split in splits and test is not None:
            raise DataError(f"{test}: {problem}, as the file to train on has it; a test is scored by it")
    return None


def _lacks(data: Any, fit: Fit) -> str | None:
    """What a split lacks of a task's columns; the Hub hides some labels as -1."""
    for role, named in fit.columns.items():
        whole = named in data.column_names or "," not in named
        for column in [named] if whole else [part.strip() for part in named.split(",")]:
            outer = column if column in data.column_names else column.partition(".")[0]
            if outer not in data.column_names:
                return f"it has no column '{column}'"
            if role in ("label", "value", "labels", "tags") and not hasattr(data.features[outer], "feature"):
                values = data[:][outer] if isinstance(data[0][outer], list) else data.unique(outer)
                hidden = [v for v in values if not isinstance(v, list) and (is_missing(v) or v == -1)]
                if hidden:
                    return f"column '{column}' holds {str(hidden[0])!r}, no label"
    return None


def _own(fit: Fit, models: Sequence[str]) -> list[tuple[str, Any]]:
    """What the task says besides; what suits the default model alone is left out for others."""
    return [(key, value) for key, value in fit.own.items() if key != "labels" and not (key == "template" and models)]


def _note(key: str, fit: Fit) -> str:
    return (
        "tokens of a window; time grows with it" if key == "max_length" and "stride" in fit.own else NOTES.get(key, "")
    )


def _labels(fit: Fit) -> list[str]:
    labels = fit.own.get("labels", ())
    if isinstance(labels, dict):
        return [f"{word(key)}: {word(value)}" for key, value in labels.items()]
    return [f"- {word(value)}" for value in labels]


def _labels_note(fit: Fit, plugin: TaskKind[Any]) -> str:
    labels = fit.own.get("labels", ())
    if plugin.OBJECTIVE == "tags":
        return "the tags" if "tag-1" not in labels else "put each tag's name for its number: B-person, I-person, …"
    if not isinstance(labels, dict):
        return "the words that zero-shot uses, in the order of the data's class numbers"
    numbers = all(re.fullmatch(r"-?[0-9.]+|true|false|True|False", value) for value in labels)
    told = "put a telling word for its number" if numbers else "the word for it"
    return f"value in the data: {told}, which zero-shot uses"


def _answers(fit: Fit) -> str:
    return "by the labels' words above" if fit.own.get("labels") else "as it is"


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
                plugins.load("model_sources", "hub").Parameters.model_validate({"hub": model})
            except ValidationError as error:
                raise UsageError(f"--model {model}: neither a folder here nor a Hub id") from error
        name = re.sub(r"[^\w.-]+", "-", folder.absolute().name.lower())[:60] or "model"
        name = name if name not in entries else f"{name}-{len(entries) + 1}"
        entries[name] = flow({"folder": str(folder.absolute())}) if folder.is_dir() else word(model)
    return [(word(name), value) for name, value in entries.items()]
