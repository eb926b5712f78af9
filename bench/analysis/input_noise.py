"""What worse images cost: a task under each condition beside the same task with its images as they are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t

from bench.analysis.column import Column
from bench.analysis.frame import size_order
from bench.analysis.results import Results

PLACE = ["task", "model", "environment"]


class Loss(NamedTuple):
    """How much worse a regime is with noise than without, in the metric's unit, positive where it is worse; low, high:
    the 95 % interval over seeds, not finite where there are fewer than two."""

    noise: str
    name: str
    lost: float
    low: float
    high: float


def losses(results: Results, columns: Sequence[Column], clean: Column, name: str) -> Iterator[Loss]:
    """Of one regime under each condition of a task, at the same size and label noise. Seeds are paired: they hold the
    labels of the same images."""
    for column in columns:
        same = (column.model, column.environment, column.size, column.noise) == (
            clean.model, clean.environment, clean.size, clean.noise
        )  # fmt: skip
        if not same or column.task == clean.task or results.clean(column.task) != clean.task:
            continue
        known = {one.name: one for one in column.candidates}
        before = clean.candidate(name)
        if name not in known or known[name].kind == "baseline":
            continue
        scores = (dict(zip(one.seeds, one.scores, strict=True)) for one in (before, known[name]))
        old, new = scores
        both = [seed for seed in old if seed in new]
        if not both:
            continue
        each = clean.sign * np.array([old[seed] - new[seed] for seed in both])
        half = math.nan
        if len(each) > 1:
            half = float(t.ppf(0.975, len(each) - 1)) * float(each.std(ddof=1)) / math.sqrt(len(each))
        mean = float(each.mean())
        yield Loss(results.noise(column.task), name, mean, mean - half, mean + half)


def side_by_side(results: Results, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of tasks that have conditions, at the largest size and with the fewest labels wrong, by the task's name
    without noise; `condition` numbers the conditions of each in the suite's order, from 0. Empty where none has any."""
    if "input_noise" not in frame:
        return frame.iloc[:0]
    named = frame.assign(task=[results.clean(task) for task in frame["task"]])
    several = named.groupby("task")["input_noise"].transform("nunique") > 1
    rows = named[several & (named["noise"] == named.groupby("task")["noise"].transform("min"))]
    if rows.empty:
        return rows
    largest = rows.groupby(PLACE[:2])["size"].transform(lambda sizes: max(sizes, key=size_order))
    rows = rows[rows["size"] == largest]
    order = {one: list(dict.fromkeys(of["input_noise"])) for one, of in rows.groupby("task", sort=False)}
    numbers = [order[task].index(noise) for task, noise in zip(rows["task"], rows["input_noise"], strict=True)]
    return rows.assign(condition=numbers)
