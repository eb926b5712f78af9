"""The tables of how everything was set up: what a reader needs to judge the scores, or to run it again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pandas as pd

from bench.analysis import tolerance
from bench.analysis.frame import Results, size_order
from bench.analysis.setup import TRAINING
from bench.report import numbers
from bench.report.table import LONG, Cell, Table, cells
from bench.report.tables import ON_EDGE

MOST = 400
"""Characters of one text; the rest is in `setup.csv`."""
LINE = r"\n"
"""How a line break in a template is shown."""
COMMIT = 12
"""Characters of a commit or fingerprint; all of them are in `setup.csv`."""
NAMES = {
    "batch_size": "batch size", "schedule": "schedule", "warmup": "warm-up, fraction of the budget",
    "weight_decay": "weight decay", "clip": "gradient norm clipped to", "dropout": "dropout",
    "precision": "precision", "evaluation_batch_size": "batch size where nothing trains",
    "batch_norm": "batch normalisation",
}  # fmt: skip
"""The settings of training in words."""


def words(value: Any) -> str:
    """A value of a record as a reader takes it: `r=8, target_modules=all-linear`; what is null is left out of it."""
    return _clip(_words(value))


def _words(value: Any) -> str:
    if _unknown(value):
        return numbers.NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        known = {k: v for k, v in value.items() if v is not None and v != {} and v != []}
        return ", ".join(
            f"{k}={f'({_words(v)})' if isinstance(v, dict | list) else _words(v)}" for k, v in known.items()
        )
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    text = str(value)
    return text if text and text == text.strip() else json.dumps(text, ensure_ascii=False)


def _clip(text: str) -> str:
    return (text or numbers.NONE) if len(text) <= MOST else f"{text[: MOST - 1]}…"


def tables(results: Results, frame: pd.DataFrame, environments: Iterable[str]) -> list[Table]:
    """frame: `bench.analysis.setup.setup`; environments: a line for each."""
    ran = frame[frame["state"] != "not_applicable"]
    if ran.empty:
        return []
    found = [_suite(results, ran, environments), _tasks(ran), _models(ran), _regimes(ran), _chosen(ran), _prompts(ran)]
    return [table for table in found if table is not None]


def _values(column: pd.Series) -> list[Any]:
    """The different values of a column that are known, in their order."""
    return list({json.dumps(v, sort_keys=True, default=str): v for v in column if not _unknown(v)}.values())


def _unknown(value: Any) -> bool:
    return value is None or value != value  # NaN


def _suite(results: Results, frame: pd.DataFrame, environments: Iterable[str]) -> Table:
    """What is the same for all, one setting a row."""
    rows = []

    def say(name: str, *texts: str) -> None:
        if any(texts):
            rows.append(cells(name, _clip("; ".join(texts))))

    say("seeds", *map(words, sorted(_values(frame["seeds"]), key=len)[-1:]))
    say("validation", *map(_validation, _values(frame["validation"])))
    say("tuning", _tuning(results, frame))
    for name in TRAINING:
        if len(values := _values(frame[name])) == 1 and name != "batch_size":
            say(NAMES[name], words(values[0]))
    said, metrics = tolerance.said(results.plan), _values(frame["metric"])
    say("difference that matters", ", ".join(f"{metric} {tolerance.words(metric, said)}" for metric in metrics))
    say("bench", *dict.fromkeys(one for v in _values(frame["bench"]) for one in v))
    for line in environments:
        name, _, rest = line.partition(": ")
        say(name.lower() if name == "Environment" else name, rest.removesuffix("."))
    return Table("Setup: the whole suite.", ["setting", "value"], "lw", rows, name="setup suite")


def _tuning(results: Results, frame: pd.DataFrame) -> str:
    """How values were chosen."""
    trials, alone = max(frame["tuning_trials"], default=0), sorted(_values(frame["tuning_seeds"]), key=len)
    if "protocol" not in results.plan:
        by = f"up to {trials} trials a regime and size, by validation on seeds {words(alone[-1])}" if alone else ""
        return f"{by} and clean labels (an older protocol)" if alone else "none"
    within = "by cross-validation within each trial" if frame["within"].any() else ""
    if not trials:
        return within or "none"
    whose = ("one value for all seeds, by their mean" if results.plan.get("select") == "shared" else
             "each seed by itself, on held-out labels of its own budget")  # fmt: skip
    rule = "of the values within one standard error of the best the one nearest to the default"
    return "; ".join(part for part in (f"{whose}: {rule}; up to {trials} trials a cell", within) if part)


def _validation(value: Any) -> str:
    if value == "full":
        return "the whole validation split"
    return f"{numbers.percent(value)} of the labels" if isinstance(value, float) else words(value)


def _tasks(frame: pd.DataFrame) -> Table:
    rows, notes = [], []
    for task, of in frame.groupby("task", sort=False):
        one = _First(of)
        rows.append(
            cells(task, _clip("; ".join(_task(one))), _clip("; ".join(_examples(of, one))), words(one["metric"]))
        )
        signatures = one["signatures"] or {}
        notes += [f"{task}, {name}: {words(text)}." for name, text in signatures.items()]
    head = ["task", "what it is", "examples: labels = to train + to validate", "metric"]
    return Table("Setup: tasks.", head, "lwwl", rows, notes=list(dict.fromkeys(notes)), name="setup tasks")


class _First:
    """A group's first known value of each column."""

    def __init__(self, rows: pd.DataFrame) -> None:
        self._rows = rows

    def __getitem__(self, column: str) -> Any:
        return next((value for value in self._rows[column] if not _unknown(value)), None)


def _task(one: _First) -> Iterator[str]:
    classes = one["classes"]
    if one["task_kind"] is None:
        yield "no trial has run yet"
        return
    kind = words(one["task_kind"])
    yield kind + (f", {len(classes)} classes" if isinstance(classes, list | dict) and classes else "")
    yield f"{_origin(one['data'])} at {_commit(one['data_fingerprint'])}"
    splits = one["splits"] if isinstance(one["splits"], dict) else {}
    yield f"splits {words(dict(sorted(splits.items(), key=lambda pair: pair[0] != 'train')))}"
    for name, key in (("also tested on", "also_test"), ("after", "after"), ("with", "task_parameters")):
        if one[key]:
            yield f"{name} {words(list(one[key]) if isinstance(one[key], dict) and key == 'also_test' else one[key])}"


def _examples(of: pd.DataFrame, one: _First) -> Iterator[str]:
    if one["pool"] is not None:
        yield f"{one['pool']:,} to choose from"
    labelled = of[[size != 0 for size in of["size"]]]
    for size in sorted(labelled["size"].unique(), key=size_order):
        at = _First(labelled[labelled["size"] == size])
        train, validation = at["train_examples"], at["validation_examples"]
        if train is not None:
            yield f"{size} = {train:,.0f} + {validation or 0:,.0f}"
    if one["test_examples"] is not None:
        yield f"{one['test_examples']:,.0f} to test"


def _origin(value: Any) -> str:
    """`hub stanfordnlp/sst2`: a source and its own words for what it serves."""
    source = value.get("source") if isinstance(value, dict) else None
    if source is None:
        return numbers.NONE
    rest = {k: v for k, v in value.items() if k not in ("source", "dtype", "pooling", "trust_remote_code")}
    named = rest.pop(str(source), None)
    others = _words(rest)
    return " ".join(
        part for part in (str(source), words(named) if named is not None else "", others and f"({others})") if part
    )


def _commit(value: Any) -> str:
    return words(value)[:COMMIT] if value else numbers.NONE


def _models(frame: pd.DataFrame) -> Table:
    rows = []
    for model, of in frame.groupby("model", sort=False):
        one = _First(of)
        count = one["model_parameters"]
        size = numbers.NONE if count is None else numbers.quantity(count)
        pooling = ", ".join(map(words, _values(of["pooling"]))) or numbers.NONE
        dtype = (one["weights"] or {}).get("dtype")
        rows.append(
            cells(model, _origin(one["weights"]), _commit(one["model_fingerprint"]), size, words(dtype), pooling)
        )
    head = ["model", "weights", "commit", "parameters", "frozen in", "pooling"]
    return Table("Setup: models.", head, "lwlrll", rows, name="setup models")


def _regimes(frame: pd.DataFrame) -> Table:
    """A row a regime, or several where tasks have it differ."""
    differing = [name for name in TRAINING if len(_values(frame[name])) > 1 and name != "batch_size"]
    rows = []
    for regime, of in frame.groupby("regime", sort=False):
        ways: dict[tuple[str, str, str, str], list[str]] = {}
        for _, row in of.iterrows():
            own = {NAMES[name]: row[name] for name in differing if not _unknown(row[name])}
            parameters = {k: v for k, v in (row["parameters"] or {}).items() if k != "way"}
            told = "; ".join(words(one) for one in (parameters, own) if one) or numbers.NONE
            texts = (told, _tuned(row), _budget(row["budget"]), words(row["batch_size"]))
            if row["kind"] is not None:
                ways.setdefault(texts, []).append(str(row["task"]))
        name = (
            str(regime)
            if of["kind"].isna().all() or _First(of)["kind"] == regime
            else f"{regime} ({_First(of)['kind']})"
        )
        for texts, tasks in ways.items():
            where = f" on {', '.join(dict.fromkeys(tasks))}" if len(ways) > 1 else ""
            rows.append(cells(name + where, *texts))
        if not ways:
            rows.append(cells(name, "no trial has run yet", _tuned(of.iloc[0]), numbers.NONE, numbers.NONE))
    head = ["regime", "parameters", "tuned", "budget", "batch"]
    long = any(len(row[0].text) > LONG for row in rows)
    return Table("Setup: regimes.", head, "wwwwr" if long else "lwwwr", rows, name="setup regimes")


def _tuned(row: pd.Series) -> str:
    """`learning_rate: 3 trials, 1e-05 to 0.0003 (default range)`."""
    if _unknown(row["low"]):
        return "nothing"
    own = " (default range)" if row["default_range"] else ""
    ends = f"{_value(row['low'])} to {_value(row['high'])}{own}"
    if row["low"] == row["high"]:
        return f"{row['tuned']}: {_value(row['low'])}, fixed"
    if row["within"]:
        return f"{row['tuned']}: by cross-validation, {ends}"
    if not row["tuning_trials"]:
        middle = f"{_value(row['chosen'])}, the" if not _unknown(row["chosen"]) else "the"
        return f"{row['tuned']}: {middle} {'middle' if _unknown(row['start']) else 'default'} of {ends}"
    start = "" if _unknown(row["start"]) else f"from {_value(row['start'])} within "
    return f"{row['tuned']}: {row['tuning_trials']} trials, {start}{ends}"


def _value(number: float) -> str:
    return f"{number:.3g}"


def _budget(value: Any) -> str:
    """`3 epochs, at least 50 steps`."""
    if not isinstance(value, dict) or not value:
        return numbers.NONE
    rest = dict(value)
    parts = [f"{words(rest.pop(unit))} {unit}" for unit in ("epochs", "steps", "seconds", "flops") if unit in rest]
    if "until" in rest:
        parts.append(f"until {words(rest.pop('until'))}")
    names = {"min_steps": ("at least", "steps"), "max_epochs": ("at most", "epochs"), "patience": ("patience", "")}
    for name, number in rest.items():
        if (name, number) == ("min_steps", 1):
            continue
        before, unit = names.get(name, (name, ""))
        parts.append(f"{before} {words(number)} {unit}".rstrip())
    return ", ".join(parts)


def _chosen(frame: pd.DataFrame) -> Table | None:
    """What tuning chose, of those that it had to choose for."""
    tuned = frame[(frame["tuning_trials"] > 0) | frame["within"].astype(bool)]
    if tuned.empty:
        return None
    sizes = sorted(tuned["size"].unique(), key=size_order)
    rows = []
    for (task, model, regime), of in tuned.groupby(["task", "model", "regime"], sort=False):
        at = {row["size"]: row for _, row in of.iterrows()}
        values = (_choice(at[size]) if size in at else Cell("not planned") for size in sizes)
        rows.append([*cells(task, model, regime, _First(of)["tuned"] or numbers.NONE), *values])
    marks = any(cell.marks for row in rows for cell in row)
    return Table(
        "Setup: values that tuning chose, by label budget.",
        ["task", "model", "regime", "tuned", *map(str, sizes)],
        "llll" + "r" * len(sizes),
        rows,
        notes=[f"{ON_EDGE} on the edge of what was tried."] if marks else [],
        name="setup chosen",
    )


def _choice(row: pd.Series) -> Cell:
    if _unknown(row["chosen"]):
        return Cell("not yet")
    counts = Counter(row["choices"] or [row["chosen"]])
    several = len(counts) > 1
    text = ", ".join(f"{_value(v)}{f' ×{n}' if several and n > 1 else ''}" for v, n in sorted(counts.items()))
    return Cell(text, marks=ON_EDGE * bool(row["on_edge"]))


def _prompts(frame: pd.DataFrame) -> Table | None:
    """What models were asked, as their trials tell it."""
    groups: dict[tuple[str, str], list[str]] = {}
    for _, row in frame[frame["method"].notna()].iterrows():
        templates = _list(row["templates"]) or _list(row["template"])
        told = {key: row[key] for key in ("label_map", "decoding") if not _unknown(row[key]) and row[key]}
        chat = ["in the model's chat template"] if row["chat_template"] is True else []
        quoted = (f"“{_clip(str(one)).replace(chr(10), LINE)}”" for one in templates)
        asked = " · ".join([*quoted, *chat]) or numbers.NONE
        labels = ", ".join(map(words, _list(row["label_words"])))
        shots = "" if _unknown(row["shots"]) else f", {words(row['shots'])} examples"
        who = f"{row['model']} on {row['task']}: {row['regime']} by {words(row['method'])}{shots}"
        groups.setdefault(
            (_clip(asked), _clip("; ".join(t for t in (labels, words(told) if told else "") if t) or numbers.NONE)), []
        ).append(who)
    rows = [cells("; ".join(dict.fromkeys(who)), *texts) for texts, who in groups.items()]
    head = ["asked", "templates", "labels and settings"]
    return (
        Table("Setup: what models are asked without training.", head, "www", rows, name="setup prompts")
        if rows
        else None
    )


def _list(value: Any) -> Sequence[Any]:
    if isinstance(value, str):
        return [value]
    return value if isinstance(value, list) else []
