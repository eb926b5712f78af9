"""How good verdicts are: each is given without a part of the results, and what it costs on that part is reported."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.analysis.column import Column
from bench.analysis.verdict.between import labels
from bench.analysis.verdict.decision import Verdict, decide

Place = tuple[str, str, str, float, str]


@dataclass(frozen=True)
class LeftOut:
    """way: what was left out; regrets: of every verdict, by how much the regime it named is worse than the best one
    there, over the tolerance: 1 is a loss of just the tolerance."""

    way: str
    regrets: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean regret, in tolerances."""
        return float(np.mean(self.regrets))

    @property
    def within(self) -> int:
        """How many lose at most the tolerance."""
        return sum(one <= 1 for one in self.regrets)


def regret(column: Column, name: str) -> float | None:
    """By how much a candidate's mean is below the best one's, over the tolerance; None where the column lacks it."""
    means = {one.name: column.sign * one.mean for one in column.candidates}
    return (max(means.values()) - means[name]) / column.tolerance if name in means and column.tolerance > 0 else None


def halves(columns: Sequence[Column]) -> LeftOut:
    """The verdict from the first half of the seeds, judged by the others."""
    found = []
    for column in columns:
        seeds = sorted({seed for one in column.candidates if one.labelled for seed in one.seeds})
        half = (len(seeds) + 1) // 2
        if len(seeds) < 3 or half < 2:
            continue
        guess = decide(_of_seeds(column, set(seeds[:half])), chances=False).guess
        cost = regret(_of_seeds(column, set(seeds[half:])), guess) if guess else None
        found += [] if cost is None else [cost]
    return LeftOut("half of the seeds", tuple(found))


def _of_seeds(column: Column, seeds: set[int]) -> Column:
    kept = []
    for one in column.candidates:
        rows = [index for index, seed in enumerate(one.seeds) if seed in seeds]
        if not one.labelled:
            kept.append(one)
        elif rows:
            values = None if one.values is None else one.values[rows]
            kept.append(replace(one, seeds=tuple(one.seeds[i] for i in rows), scores=one.scores[rows], values=values))
    return replace(column, candidates=tuple(kept))


def largest(verdicts: Sequence[Verdict]) -> LeftOut:
    """The verdict at the largest size but one, judged at the largest."""
    groups: dict[tuple[str, ...], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        column = verdict.column
        groups[column.suite, column.task, column.model, f"{column.noise}", column.environment].append(verdict)
    found = []
    for group in groups.values():
        ordered = sorted(group, key=lambda one: labels(one.column))
        if len(ordered) > 1 and (guess := ordered[-2].guess):
            cost = regret(ordered[-1].column, guess)
            found += [] if cost is None else [cost]
    return LeftOut("the largest size", tuple(found))


def tasks(verdicts: Sequence[Verdict]) -> LeftOut:
    """The regime most often named on the other tasks at the same size and noise rate, judged on the one left out."""
    groups: dict[tuple[str, ...], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        column = verdict.column
        groups[column.suite, column.model, f"{column.size}", f"{column.noise}", column.environment].append(verdict)
    found = []
    for group in groups.values():
        for one in group:
            named = Counter(o.guess for o in group if o.guess and o.column.task != one.column.task)
            if named and (cost := regret(one.column, named.most_common(1)[0][0])) is not None:
                found.append(cost)
    return LeftOut("a task", tuple(found))
