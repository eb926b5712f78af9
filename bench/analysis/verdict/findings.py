"""All that verdicts say of one suite: by task, model and environment, and over all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from bench.analysis.column import Candidate, Column
from bench.analysis.results import Results
from bench.analysis.verdict import across as over_tasks
from bench.analysis.verdict import left_out
from bench.analysis.verdict.across import Across
from bench.analysis.verdict.between import labels
from bench.analysis.verdict.complexity import CodeLength, code_length
from bench.analysis.verdict.costs import Prefer, by_cost
from bench.analysis.verdict.crossover import Crossover, Ladder, crossover
from bench.analysis.verdict.curves import Curve, curve
from bench.analysis.verdict.decision import Verdict, decide
from bench.analysis.verdict.left_out import LeftOut
from bench.analysis.verdict.likelihoods import Group as Curves
from bench.analysis.verdict.likelihoods import losses
from bench.analysis.verdict.limits import Limits
from bench.analysis.verdict.neighbours import neighbours
from bench.analysis.verdict.quality import Slope, changes, slope
from bench.analysis.verdict.transfer import Transfer, transfer

SCRATCH = "retrain"
"""The kind of regime that takes nothing from pretraining."""


@dataclass(frozen=True, eq=False)
class Group:
    """One task, model and environment. verdicts: by noise rate, then size; codes: of every regime that tells
    probabilities of classes, the shortest first, at the lowest noise rate; bits: what the answers of each regime leave
    open at each size, in bits an example, and classes: how many there are, 0 where that is unknown. spoilt: whether the
    task's images are another's, made worse."""

    task: str
    model: str
    environment: str
    verdicts: tuple[Verdict, ...]
    codes: tuple[CodeLength, ...]
    bits: dict[str, dict[float, float]]
    classes: int
    spoilt: bool = False

    @cached_property
    def rates(self) -> tuple[float, ...]:
        """The noise rates, the lowest first."""
        return tuple(sorted({one.column.noise for one in self.verdicts}))

    def at(self, noise: float) -> list[Verdict]:
        """The verdicts at a noise rate, by size."""
        return [one for one in self.verdicts if one.column.noise == noise]

    @cached_property
    def clean(self) -> list[Verdict]:
        """The verdicts at the lowest noise rate, by size."""
        return self.at(self.rates[0])

    @cached_property
    def ladder(self) -> Ladder:
        """The columns of those, as far as their sizes are known."""
        return Ladder.of(one.column for one in self.clean)

    @property
    def largest(self) -> Verdict:
        """The verdict with the most labels."""
        return self.clean[-1]

    @cached_property
    def crossovers(self) -> tuple[Crossover, ...]:
        """Where the choice passes from one regime to another as labels get more, and where training from scratch
        overtakes the choice."""
        return tuple(_crossovers(self))

    @cached_property
    def curves(self) -> tuple[Curve, ...]:
        """Of every regime that has three sizes."""
        regimes = {one.name: None for verdict in self.clean for one in regimes_of(verdict.column)}
        found = (curve(self.ladder.columns, name) for name in regimes)
        return tuple(one for one in found if one is not None)

    @cached_property
    def transfers(self) -> tuple[Transfer, ...]:
        """What pretraining is worth in labels at each size, by the regime with the best mean at the largest."""
        scratch = of_kind(self.largest.column, SCRATCH)
        best = best_trained(self.largest.column)
        if scratch is None or best is None:
            return ()
        return tuple(transfer(self.ladder.columns, best.name, scratch.name))

    @cached_property
    def slopes(self) -> tuple[Slope, ...]:
        """Of every regime, at the largest size that has several noise rates."""
        if len(self.rates) < 2:
            return ()
        shared = [one.column for one in self.at(self.rates[-1])]
        if not shared:
            return ()
        size = shared[-1].size
        columns = [one.column for one in self.verdicts if one.column.size == size]
        found = (slope(columns, one.name) for one in regimes_of(columns[0]))
        return tuple(one for one in found if one is not None)

    @cached_property
    def changed(self) -> tuple[int, int]:
        """(changed, compared): of the places with wrong labels, how many have another verdict than with right ones."""
        clean = {one.column.size: one.chosen for one in self.clean}
        noisy = [one for one in self.verdicts if one.column.noise != self.rates[0]]
        return changes([(clean.get(one.column.size), one.chosen) for one in noisy])


@dataclass(frozen=True, eq=False)
class Findings:
    """Of one suite. groups: in the suite's order; prefer, limits: what verdicts were asked for."""

    suite: str
    groups: tuple[Group, ...]
    prefer: Prefer
    limits: Limits

    @property
    def verdicts(self) -> list[Verdict]:
        """All of them."""
        return [verdict for group in self.groups for verdict in group.verdicts]

    @cached_property
    def neighbours(self) -> tuple[int, int]:
        """(inseparable, all) neighbours in the order of means."""
        return neighbours(one.column for one in self.verdicts)

    @cached_property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What verdicts cost on the part that they were not given: half of the seeds, the largest size, a task."""
        found = (
            left_out.halves([one.column for one in self.verdicts]),
            left_out.largest(self.verdicts),
            left_out.tasks(self.verdicts),
        )
        return tuple(one for one in found if one.regrets)

    @cached_property
    def across(self) -> dict[tuple[str, str], list[Across]]:
        """By model and environment, regimes over the tasks, each task at its largest size."""
        found: dict[tuple[str, str], list[Column]] = {}
        for group in (one for one in self.groups if not one.spoilt):  # a task counts once
            found.setdefault((group.model, group.environment), []).append(group.largest.column)
        several = {key: columns for key, columns in found.items() if len({one.task for one in columns}) > 1}
        tables = {key: over_tasks.across(columns) for key, columns in several.items()}
        return {key: table for key, table in tables.items() if table}


def regimes_of(column: Column) -> list[Candidate]:
    """The candidates that are no baselines."""
    return [one for one in column.candidates if one.kind != "baseline"]


def of_kind(column: Column, kind: str) -> Candidate | None:
    """The first candidate of a kind."""
    return next((one for one in column.candidates if one.kind == kind), None)


def best_of(column: Column, candidates: Sequence[Candidate]) -> Candidate | None:
    """The one with the best mean."""
    return max(candidates, key=lambda one: column.sign * one.mean, default=None)


def best_trained(column: Column) -> Candidate | None:
    """The best mean of the regimes that start from the pretrained model and learn from labels."""
    return best_of(column, [one for one in regimes_of(column) if one.labelled and one.kind != SCRATCH])


def findings(
    results: Results, columns: Sequence[Column], prefer: Prefer = "train-time", limits: Limits | None = None
) -> Findings:
    """Of one suite, whose columns those are."""
    limits = limits or Limits()
    own = [one for one in columns if one.suite == results.name]
    keys = dict.fromkeys((one.task, one.model, one.environment) for one in own)
    rates = [one.noise for one in own]
    known = losses(results, min(rates)) if rates else {}
    groups = []
    for task, model, environment in keys:
        of = [one for one in own if (one.task, one.model, one.environment) == (task, model, environment)]
        of.sort(key=lambda one: (one.noise, _order(one)))
        told = {key: one for key, one in known.items() if (key.task, key.model, key.environment) == keys_of(of[0])}
        codes = [_code(key, one.by_size, one.classes) for key, one in told.items()]
        groups.append(
            Group(
                task=task,
                model=model,
                environment=environment,
                verdicts=tuple(decide(one, prefer, limits) for one in of),
                codes=tuple(sorted((one for one in codes if one is not None), key=lambda one: one.bits)),
                bits={key.regime: {n: _mean(seeds) for n, seeds in one.by_size.items()} for key, one in told.items()},
                classes=max((one.classes for one in told.values()), default=0),
                spoilt=results.clean(task) != task,
            )
        )
    return Findings(results.name, tuple(groups), prefer, limits)


def keys_of(column: Column) -> tuple[str, str, str]:
    """The task, model and environment."""
    return column.task, column.model, column.environment


def _order(column: Column) -> float:
    size = labels(column)
    return size if size == size else float("inf")


def _mean(seeds: dict[int, float]) -> float:
    return float(np.mean(list(seeds.values())))


def _code(key: Curves, by_size: dict[float, dict[int, float]], classes: int) -> CodeLength | None:
    """Over the seeds that all sizes have; what sees no labels codes nothing."""
    sizes = sorted(size for size in by_size if size > 0)
    if len(sizes) < 2:
        return None
    seeds = sorted(set.intersection(*(set(by_size[size]) for size in sizes)))
    table = np.array([[by_size[size][seed] for size in sizes] for seed in seeds])
    return code_length(key.regime, sizes, table, classes)


def _crossovers(group: Group) -> Iterator[Crossover]:
    margin = group.largest.column.tolerance
    seen = set()
    for first, second in pairwise(group.clean):
        early, late = first.guess, second.guess
        if early is None or late is None or early == late or (early, late) in seen:
            continue
        seen.add((early, late))
        order = by_cost(second.column, second.prefer)
        if early not in order or late not in order:
            continue
        # the cheaper one holds as long as the dearer one does not lead it by more than the tolerance
        sign = 1 if order.index(late) > order.index(early) else -1
        found = crossover(group.ladder, early, late, sign * margin)
        if found is not None:
            yield found
    scratch, best = of_kind(group.largest.column, SCRATCH), best_trained(group.largest.column)
    if scratch is not None and best is not None and (best.name, scratch.name) not in seen:
        found = crossover(group.ladder, best.name, scratch.name)
        if found is not None:
            yield found
