"""The tables, as cells of plain text and marks; each format renders them in its own way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pandas as pd

from bench.analysis.frame import size_order
from bench.report import numbers

STATES = {
    "oom_device": "out of device memory",
    "oom_host": "out of memory",
    "not_applicable": "not applicable",
    "waiting": "waiting for tuning",
}
"""The words for those states whose own name is not one."""
NOT_DISTINGUISHABLE, ON_EDGE = "†", "‡"


@dataclass(frozen=True)
class Cell:
    """One text, perhaps bold, with marks that the table's notes explain."""

    text: str
    bold: bool = False
    marks: str = ""


@dataclass(frozen=True)
class Table:
    """`align` has one letter a column: l, c, r, or w for long text. `foot` rows stand below a rule."""

    caption: str
    head: list[str]
    align: str
    rows: list[list[Cell]]
    foot: list[list[Cell]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def cells(*texts: object) -> list[Cell]:
    """One row of plain cells."""
    return [Cell(str(text)) for text in texts]


def state(word: str) -> str:
    """How a status reads in a cell."""
    return STATES.get(word, word)


def _regime(rows: pd.DataFrame) -> str:
    name = str(rows["regime"].iloc[0])
    return f"{name} (no labels)" if (rows["labels"] == 0).all() else name


def _score(rows: pd.DataFrame) -> Cell:
    if rows.empty:
        return Cell("not planned")
    row = rows.iloc[0]
    if not row["seeds"]:
        return Cell(state(row["state"]))
    text = numbers.score(row["mean"])
    if row["low"] == row["low"]:
        text += f" ± {numbers.score((row['high'] - row['low']) / 2)}"
    if row["labels"] != 0:
        whole = row["seeds"] >= row["seeds_planned"]
        text += f" ({row['seeds']})" if whole else f" ({row['seeds']} of {row['seeds_planned']})"
    marks = NOT_DISTINGUISHABLE * bool(row["not_distinguishable"]) + ON_EDGE * bool(row["on_edge"])
    return Cell(text, bool(row["best"]), marks)


def _majority(rows: pd.DataFrame) -> Cell:
    """Every regime saw the same labels, so the row with the most seeds tells it best."""
    known = rows[rows["majority"].notna()]
    known = known.sort_values("seeds", ascending=False, kind="stable")
    return Cell(numbers.NONE if known.empty else numbers.score(known["majority"].iloc[0]))


_BASES = {
    "seeds and examples": "over seeds and test examples (two-way crossed random effects, t)",
    "examples": "over test examples alone",
    "seeds": "over seeds alone (t)",
    "nothing": "none, from one seed of a score that is no mean over examples",
}


def _notes(group: pd.DataFrame, rows: list[list[Cell]]) -> list[str]:
    bases = [
        f"{words}: {', '.join(dict.fromkeys(group.loc[group['interval'] == basis, 'regime']))}"
        for basis, words in _BASES.items()
        if (group["interval"] == basis).any()
    ]
    marks = "".join(cell.marks for row in rows for cell in row)
    notes = [f"95 % intervals {'; '.join(bases)}."] if bases else []
    if group["best"].any():
        notes.append("Bold: the highest mean of its column.")
    if NOT_DISTINGUISHABLE in marks:
        notes.append(
            f"{NOT_DISTINGUISHABLE} not distinguishable from it: the 95 % interval of the paired difference includes 0."
        )
    if ON_EDGE in marks:
        notes.append(f"{ON_EDGE} the tuning optimum lies on the edge of its range.")
    return notes


def scores(group: pd.DataFrame, title: str) -> Table:
    """Regimes × sizes of one task, model, noise rate and environment."""
    sizes = sorted(group["size"].unique(), key=size_order)
    rows = [
        [Cell(_regime(of)), *(_score(of[of["size"] == size]) for size in sizes)]
        for of in (group[group["regime"] == regime] for regime in group["regime"].unique())
    ]
    counts = sorted(group["test_examples"].dropna().unique())
    tested = f"; {' or '.join(f'{n:,.0f}' for n in counts)} test examples" if counts else ""
    metric = " or ".join(m for m in group["metric"].unique() if m) or "score"
    return Table(
        caption=f"{metric} on {title}: mean ± half-width of the 95 % interval (number of seeds) "
        f"by label budget, training and validation labels together{tested}.",
        head=["regime", *(str(size) for size in sizes)],
        align="l" + "r" * len(sizes),
        rows=rows,
        foot=[[Cell("majority class"), *(_majority(group[group["size"] == size]) for size in sizes)]],
        notes=_notes(group, rows),
    )


def _in(unit: str) -> Callable[[float], str]:
    return lambda value: numbers.quantity(value, unit)


_COSTS: list[tuple[str, str, Callable[[float], str]]] = [
    ("training", "train_seconds", numbers.duration),
    ("tuning", "tuning_seconds", numbers.duration),
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
]


def costs(group: pd.DataFrame, title: str) -> Table | None:
    """What each regime cost at one size; None where nothing ran. A column nobody has data for is left out."""
    if not group["seeds"].any():
        return None
    columns = [c for c in _COSTS if group[c[1]].fillna(0).any()]
    rows = []
    for _, row in group.iterrows():
        name = f"{row['regime']} (no labels)" if row["labels"] == 0 else row["regime"]
        if row["seeds"]:
            rows.append(cells(name, *(form(row[column]) for _, column, form in columns)))
        else:
            rows.append(cells(name, state(row["state"]), *[numbers.NONE] * (len(columns) - 1)))
    return Table(
        caption=f"Costs on {title}: means over seeds; memory: the highest peak; "
        "training: optimiser steps alone; tuning: all its trials from start to end.",
        head=["regime", *(head for head, _, _ in columns)],
        align="l" + "r" * len(columns),
        rows=rows,
    )


def failures(frame: pd.DataFrame) -> Table | None:
    """Every trial that is not `ok`, by cause, the most frequent first."""
    if frame.empty:
        return None
    groups: dict[tuple[str, ...], dict[tuple[str, ...], list[int]]] = {}
    for row in frame.to_dict("records"):
        cause = str(row["status"]), str(row["cause"])
        purpose = " (tuning)" if row["purpose"] == "tuning" else ""
        place = (*(str(row[key]) for key in ("task", "model", "regime", "size")), f"{row['noise']:g}", purpose)
        groups.setdefault(cause, {}).setdefault(place, []).append(int(row["seed"]))
    counts = {cause: sum(map(len, places.values())) for cause, places in groups.items()}
    rows = [
        cells(counts[cause], state(cause[0]), _clip(cause[1]), *place[:-1], ", ".join(map(str, seeds)) + place[-1])
        for cause in sorted(groups, key=lambda cause: (-counts[cause], cause))
        for place, seeds in groups[cause].items()
    ]
    head = ["trials", "status", "cause", "task", "model", "regime", "labels", "noise", "seeds"]
    return Table(f"{len(frame)} trials that are not ok, by cause.", head, "rlwlllrrw", rows)


def _clip(text: str, most: int = 200) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def not_applicable(frame: pd.DataFrame) -> Table | None:
    """What a model has no way to do, and why."""
    frame = frame[frame["state"] == "not_applicable"]
    if frame.empty:
        return None
    places = frame[["task", "model", "regime", "cause"]].drop_duplicates().values.tolist()
    rows = [cells(task, model, regime, _clip(cause)) for task, model, regime, cause in places]
    return Table("Not applicable.", ["task", "model", "regime", "reason"], "lllw", rows)


def rendered(tables: list[Table | None]) -> Iterator[Table]:
    """Those there is anything to show of."""
    return (table for table in tables if table is not None)
