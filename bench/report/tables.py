"""The tables, as cells of plain text and marks; each format renders them in its own way."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from bench.analysis.frame import BASELINE, baselines, lower_is_better, size_order
from bench.analysis.statistics import WIDEST_OVERLAP
from bench.report import numbers
from bench.report.table import LONG, Cell, Table, cells

STATES = {
    "oom_device": "out of device memory",
    "oom_host": "out of memory",
    "not_applicable": "not applicable",
    "waiting": "waiting for tuning",
}
"""The words for those states whose own name is not one."""
COULD_BE_BEST, ON_EDGE = "†", "‡"


def state(word: str) -> str:
    """How a status reads in a cell."""
    return STATES.get(word, word)


def _regime(rows: pd.DataFrame) -> str:
    name = str(rows["regime"].iloc[0])
    return f"{name} (no labels)" if (rows["labels"] == 0).all() else name


def _score(row: Mapping[Hashable, Any]) -> Cell:
    if not row["seeds"]:
        return Cell(state(row["state"]))
    text = _mean(row, seeds=row["labels"] != 0)
    marks = COULD_BE_BEST * bool(row["could_be_best"] and not row["best"]) + ON_EDGE * bool(row["on_edge"])
    return Cell(text, bool(row["best"]), marks)


def _mean(row: Mapping[Hashable, Any], seeds: bool) -> str:
    """A mean, half of its interval where there is one, and if asked the number of seeds."""
    text = numbers.score(row["mean"])
    if row["low"] == row["low"]:
        text += f" ± {numbers.score((row['high'] - row['low']) / 2)}"
    if seeds:
        whole = row["seeds"] >= row["seeds_planned"]
        text += f" ({row['seeds']})" if whole else f" ({row['seeds']} of {row['seeds_planned']})"
    return text


def _baseline(rows: Sequence[Mapping[Hashable, Any]], column: str) -> Cell:
    """Every regime saw the same labels, so the row with the most seeds tells it best."""
    told = max((row for row in rows if row[column] == row[column]), key=lambda row: row["seeds"], default=None)
    if told is None:
        return Cell(numbers.NONE)
    name = column.removeprefix(BASELINE)
    best, could = (
        any(name in str(row.get(kind, "")).split() for row in rows)
        for kind in ("best_baselines", "could_be_best_baselines")
    )
    return Cell(numbers.score(told[column]), best, COULD_BE_BEST * (could and not best))


_BASES = {
    "seeds and examples": "over seeds and test examples (crossed; the variance of seeds pooled over the column)",
    "examples": "over test examples alone",
    "seeds": "over seeds alone, for there are no predictions to use",
    "nothing": "none, from one seed without predictions to use",
}


def _on(intervals: pd.DataFrame, basis: str) -> Iterator[str]:
    """The regimes whose intervals have this basis, with their sizes where it is not that of all their intervals."""
    found: dict[str, list[tuple[str, Any]]] = {}
    for regime, own, size in intervals.itertuples(index=False, name=None):
        found.setdefault(str(regime), []).append((own, size))
    for regime, of in found.items():
        sizes = [size for own, size in of if own == basis]
        if sizes:
            yield regime if len(sizes) == len(of) else f"{regime} at {' and '.join(map(str, dict.fromkeys(sizes)))}"


def _intervals(group: pd.DataFrame) -> list[str]:
    """What the intervals cover."""
    known = group.loc[group["interval"] != "", ["regime", "interval", "size"]]
    found = set(known["interval"])
    bases = [f"{words}: {', '.join(_on(known, basis))}" for basis, words in _BASES.items() if basis in found]
    return [f"95 % intervals {'; '.join(bases)}."] if bases else []


def _notes(group: pd.DataFrame, rows: list[list[Cell]]) -> list[str]:
    marks = "".join(cell.marks for row in rows for cell in row)
    templates = group[group["templates"] > 1].drop_duplicates("regime")
    notes = _intervals(group)
    if group["best"].any() or (group["best_baselines"] != "").any():
        best = "lowest" if group["lower_is_better"].any() else "highest"
        notes.append(f"Bold: the {best} mean of its column, baselines included, of those tried with the same seeds.")
    together = group[(group["tuning_trials"] > 0) & (group["tuned_seeds"] == 1) & (group["seeds"] > 1)]
    if len(together):
        listed = ", ".join(dict.fromkeys(together["regime"]))
        notes.append(f"Tuned with one value for all seeds, chosen by more labels than one budget's: {listed}.")
    if COULD_BE_BEST in marks:
        notes.append(
            f"{COULD_BE_BEST} could be best as well: no other beats it in the paired difference over seeds and test "
            "examples, at 5 % for all pairs of the column together."
        )
        if (single := group[group["could_be_best"] & (group["labels"] != 0) & (group["seeds"] == 1)])["best"].size:
            notes.append(f"Of one seed nothing is claimed: {', '.join(dict.fromkeys(single['regime']))}.")
    pool = group[(group["overlap"] > WIDEST_OVERLAP) & (group["seeds"] > 1)]
    if len(pool):
        at = " and ".join(str(size) for size in sorted(pool["size"].unique(), key=size_order))
        notes.append(f"Intervals at {at} are for this pool of labels: seeds share more than half of them.")
    if ON_EDGE in marks:
        edges = group.loc[group["edge_seeds"] > 0, ["edge_seeds", "seeds"]].to_numpy().tolist()
        seeds = ", ".join(dict.fromkeys(f"{n} of {of}" for n, of in edges))
        notes.append(f"{ON_EDGE} tuning chose the outermost value that it tried, for {seeds} seeds.")
    notes += [
        f"{row['regime']}: mean over {row['templates']} templates, "
        f"{numbers.score(row['template_low'])} to {numbers.score(row['template_high'])} each."
        for _, row in templates.iterrows()
    ]
    alone = group[(group["seeds"] > 0) & ~group["compared"]]
    if len(alone):
        names = (f"{r['regime']} at {r['size']} ({r['seeds']} of {r['seeds_planned']})" for _, r in alone.iterrows())
        notes.append(f"Not compared, for others in the column have more seeds: {', '.join(names)}.")
    partial = ((row, _failed(row["statuses"])) for _, row in group[group["state"] == "partial"].iterrows())
    lost = [f"{row['regime']} at {row['size']} ({failed})" for row, failed in partial if failed]
    if lost:
        notes.append(f"Means without the seeds that failed: {', '.join(lost)}.")
    constant = group[(group["degenerate"] > 0) & (group["labels"] != 0)]
    if len(constant):
        each = (f"{r['regime']} at {r['size']} ({r['degenerate']} of {r['seeds']})" for _, r in constant.iterrows())
        notes.append(f"Seeds that gave every test example the same answer: {', '.join(each)}.")
    return notes


def _failed(statuses: str) -> str:
    """`diverged=1 missing=1 ok=2` in words: `1 diverged`."""
    pairs = (one.split("=") for one in statuses.split())
    return ", ".join(f"{count} {state(status)}" for status, count in pairs if status not in ("ok", "missing"))


def scores(group: pd.DataFrame, title: str) -> Table:
    """Regimes × sizes of one task, model, noise rate and environment."""
    sizes = sorted(group["size"].unique(), key=size_order)
    records = group.to_dict("records")
    at = {(row["regime"], row["size"]): row for row in reversed(records)}
    rows = [
        [Cell(_regime(of)), *(_score(at[name, n]) if (name, n) in at else Cell("not planned") for n in sizes)]
        for name, of in group.groupby("regime", sort=False)
    ]
    foot = [
        [Cell(name), *(_baseline([r for r in records if r["size"] == size], column) for size in sizes)]
        for column, name in baselines(group)
    ]
    counts = sorted(group["test_examples"].dropna().unique())
    tested = f"; {' or '.join(f'{n:,.0f}' for n in counts)} test examples" if counts else ""
    metric = " or ".join(m for m in group["metric"].unique() if m) or "score"
    lower = " (lower is better)" if group["lower_is_better"].any() else ""
    return Table(
        caption=f"{metric}{lower} on {title}: mean ± half-width of the 95 % interval (number of seeds) "
        f"by label budget, training and validation labels together{tested}.",
        head=["regime", *(str(size) for size in sizes)],
        align="l" + "r" * len(sizes),
        rows=rows,
        foot=foot,
        notes=_notes(group, [*rows, *foot]),
    )


def _in(unit: str) -> Callable[[float], str]:
    return lambda value: numbers.quantity(value, unit)


_COSTS: list[tuple[str, str, Callable[[float], str]]] = [
    ("training", "train_seconds", numbers.duration),
    ("continued pretraining", "pretraining_seconds", numbers.duration),
    ("the task before", "after_seconds", numbers.duration),
    ("tuning", "tuning_seconds_a_seed", numbers.duration),
    ("peak memory, training", "train_host_bytes", _in("B")),
    ("peak memory, inference", "inference_host_bytes", _in("B")),
    ("device memory, training", "train_reserved_bytes", _in("B")),
    ("device memory, inference", "inference_reserved_bytes", _in("B")),
    ("energy, training", "train_joules", _in("J")),
    ("computation, training", "train_flops", _in("FLOP")),
    ("parameters, trainable", "trainable_parameters", _in("")),
    ("parameters, all", "total_parameters", _in("")),
    ("stored", "stored_bytes", _in("B")),
    ("latency, one example", "latency_seconds", numbers.duration),
    ("inference, examples/s", "inference_examples_per_second", _in("")),
    ("writing, tokens/s", "written_tokens_per_second", _in("")),
    ("tokens read", "prompt_tokens", _in("")),
    ("tokens written", "completion_tokens", _in("")),
    ("price, as the suite states it", "price", _in("")),
]

COST_WORDS = {column: name for name, column, _ in _COSTS}
COST_FORMS = {column: form for _, column, form in _COSTS}
"""How a cost is called and written, by its column of the tidy frame."""


def costs(group: pd.DataFrame, title: str) -> Table:
    """What each regime cost at one size. A quantity nobody has data for is left out."""
    quantities = [quantity for quantity in _COSTS if group[quantity[1]].fillna(0).any()]
    columns = []
    for _, row in group.iterrows():
        texts = [form(row[column]) for _, column, form in quantities]
        columns.append(texts if row["seeds"] else [state(row["state"]), *texts[1:]])
    few = group[(group["seeds"] > 0) & (group["seeds"] < group["seeds_planned"])]
    fewer = ", ".join(f"{row['regime']} ({row['seeds']} of {row['seeds_planned']})" for _, row in few.iterrows())
    return Table(
        caption=f"Costs on {title}: means over seeds; memory: the highest peak; "
        "training: optimiser steps alone; tuning: a seed's trials that were not chosen, without their tests.",
        head=["", *group["regime"]],
        align="l" + "r" * len(columns),
        rows=[cells(name, *row) for (name, _, _), *row in zip(quantities, *columns, strict=True)],
        notes=[f"Not over all seeds: {fewer}."] if fewer else [],
    )


def forgetting(group: pd.DataFrame, title: str) -> Table:
    """Regimes × tasks asked, of one task, model, size and environment."""
    asked = list(group[["on", "metric"]].drop_duplicates().itertuples(index=False, name=None))
    rows = []
    for regime, of in group.groupby("regime", sort=False):
        found = {(row["on"], row["metric"]): row for _, row in of.iterrows()}
        rows.append([Cell(str(regime)), *(_change(found.get(pair)) for pair in asked)])
    lower = dict.fromkeys(metric for _, metric in asked if lower_is_better(metric))
    notes = [f"Lower is better of {', '.join(lower)}."] if lower else []
    if any(metric.endswith("_loss") for _, metric in asked):
        notes.append("Of a metric ending in _loss, in nats a token, lower is better.")
    return Table(
        caption=f"Forgetting by training on {title}: zero-shot scores with the pretrained backbone → with the trained "
        "one, means over seeds (their number).",
        head=["regime", *(f"{on} {metric}" for on, metric in asked)],
        align="l" + "r" * len(asked),
        rows=rows,
        notes=notes,
    )


def sequence(group: pd.DataFrame, title: str) -> Table:
    """Regimes of one task that comes after another, model, size and environment."""
    task, first = group["task"].iloc[0], group["first"].iloc[0]
    metrics = {"gained": str(group["metric"].iloc[0]), "left": str(group["first_metric"].iloc[0])}
    lower = dict.fromkeys(metric for metric in metrics.values() if lower_is_better(metric))
    return Table(
        caption=f"{first}, then {title}: the score on {task} without → with {first} learnt before it; on {first} right "
        f"after it was learnt → after {task} was learnt too; means over seeds (their number).",
        head=["regime", f"{task} {metrics['gained']}", f"{first} {metrics['left']}"],
        align="lrr",
        rows=[[Cell(str(row["regime"])), _change(row, "without", "with"), _change(row)] for _, row in group.iterrows()],
        notes=[f"Lower is better of {', '.join(lower)}."] if lower else [],
    )


def _change(row: pd.Series | None, before: str = "before", after: str = "after") -> Cell:
    if row is None:
        return Cell(numbers.NONE)
    return Cell(f"{numbers.score(row[before])} → {numbers.score(row[after])} ({row['seeds']})")


def also_test(group: pd.DataFrame, title: str) -> Table:
    """Regimes and sizes × test sets, the task's own first, of one task, model, noise rate and environment."""
    sets, records = list(group["on"].unique()), group.to_dict("records")
    rows = []
    for (regime, size), of in group.groupby(["regime", "size"], sort=False):
        found = {row["on"]: row for row in of.to_dict("records")}
        scores = [_mean(found[on], seeds=size != 0) if on in found else numbers.NONE for on in sets]
        rows.append(cells(regime, size or "none", *scores))
    metric = " or ".join(group["metric"].unique())
    lower = " (lower is better)" if group["lower_is_better"].any() else ""
    return Table(
        caption=f"{metric}{lower} of the same models, trained for {title}, on its also_test sets: mean ± half-width of "
        "the 95 % interval (number of seeds).",
        head=["regime", "labels", *(on or "own test split" for on in sets)],
        align="ll" + "r" * len(sets),
        rows=rows,
        foot=[
            [Cell(name), Cell(numbers.NONE), *(_baseline([r for r in records if r["on"] == on], column) for on in sets)]
            for column, name in baselines(group)
        ],
        notes=_intervals(group),
    )


def failures(frame: pd.DataFrame) -> Table | None:
    """Every trial that is not `ok`, by cause, the most frequent first."""
    if frame.empty:
        return None
    groups: dict[tuple[str, str], dict[tuple[str, str], list[int]]] = {}
    for row in frame.to_dict("records"):
        labels = f"{row['size']} labels" if row["size"] else "no labels"
        wrong = f", {numbers.percent(row['noise'])} of them wrong" if row["noise"] else ""
        place = f"{row['regime']} on {row['task']} with {row['model']}, {labels}{wrong}"
        purpose = "tuning seeds" if row["purpose"] == "tuning" else "seeds"
        places = groups.setdefault((str(row["status"]), str(row["cause"])), {})
        places.setdefault((place, purpose), []).append(int(row["seed"]))
    counts = {cause: sum(map(len, places.values())) for cause, places in groups.items()}
    rows = [
        cells(len(seeds), state(cause[0]), _clip(cause[1]), f"{place}, {purpose} {', '.join(map(str, seeds))}")
        for cause in sorted(groups, key=lambda cause: (-counts[cause], cause))
        for (place, purpose), seeds in groups[cause].items()
    ]
    head = ["trials", "status", "cause", "where"]
    return Table(f"{len(frame)} trials that are not ok, by cause.", head, "rlww", rows, name="failures")


def _clip(text: str, most: int = 200) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def not_applicable(frame: pd.DataFrame) -> Table | None:
    """What a model has no way to do, and why: a row per task, model, reason and the sizes that it holds at."""
    rows = []
    for (task, model), of in frame.groupby(["task", "model"], sort=False):
        reasons: dict[tuple[str, ...], list[str]] = {}
        impossible = of[of["state"] == "not_applicable"]
        for (regime, cause), at in impossible.groupby(["regime", "cause"], sort=False)["size"]:
            sizes = ["any"] if at.nunique() == of["size"].nunique() else at.unique()
            reasons.setdefault((", ".join(map(str, sizes)), _clip(str(cause))), []).append(str(regime))
        for place, regimes in reasons.items():
            named = "all" if len(regimes) == of["regime"].nunique() else ", ".join(regimes)
            rows.append(cells(task, model, named, *place))
    head = ["task", "model", "regimes", "labels", "reason"]
    long = any(len(row[2].text) > LONG for row in rows)
    align = "llwlw" if long else "llllw"
    return Table("Not applicable.", head, align, rows, name="not-applicable") if rows else None


def rendered(tables: list[Table | None]) -> list[Table]:
    """Those there is anything to show of."""
    return [table for table in tables if table is not None]
