"""Two folders of results side by side: another machine, other releases, another day.

Nothing is pooled: each environment of the one stands against each of the other. Where both hold the same trial (its id
is a hash of all that determines its result but the environment) its two results are compared with each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from scipy.special import stdtrit

from bench.analysis import frame
from bench.analysis.column import Candidate, Column
from bench.analysis.results import Place, Results, scored
from bench.analysis.statistics import components, satterthwaite
from bench.analysis.verdict.decision import decide
from bench.errors import UsageError
from bench.store import records
from bench.store.record import Environment, Record

AXES = ("task", "model", "size", "noise")
"""What a column is called by, in one environment of one suite."""


@dataclass(frozen=True)
class Difference:
    """B minus A of one cell, in the metric's unit, with its 95 % interval (NaN where none can be said).

    pairs: how many trials both hold, over which it is paired; 0: none, so all of A's stand against all of B's;
    basis: what the interval covers; same: every score is the same to the bit; seconds: B's over A's, the geometric mean
    over pairs of the whole trial's time, NaN without pairs; changed: without pairs, which parts of trials differ.
    """

    task: str
    model: str
    regime: str
    size: int | str
    noise: float
    metric: str
    a: float
    b: float
    mean: float
    low: float
    high: float
    pairs: int
    seeds: tuple[int, int]
    basis: str
    same: bool
    seconds: float
    changed: tuple[str, ...]

    @property
    def clear(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Conclusion:
    """What one column says in A and in B: who has the best mean, who could be best (`Column.could_be_best`), and the
    verdict, None while it is undecided."""

    task: str
    model: str
    size: int | str
    noise: float
    best: tuple[str, str]
    could_be_best: tuple[list[str], list[str]]
    verdict: tuple[str | None, str | None]

    @property
    def changed(self) -> bool:
        """Whether the best of one side could not be best on the other, a change that chance does not explain, or the
        verdicts differ."""
        could = self.best[0] in self.could_be_best[1] and self.best[1] in self.could_be_best[0]
        return not could or self.verdict[0] != self.verdict[1]


@dataclass(frozen=True)
class Comparison:
    """One environment of A's suite against one of B's. only_a, only_b: cells that the other has not scored."""

    suites: tuple[str, str]
    environments: tuple[Environment, Environment]
    differences: list[Difference]
    conclusions: list[Conclusion]
    only_a: list[str]
    only_b: list[str]

    @property
    def differing(self) -> dict[str, tuple[Any, Any]]:
        """{part: A's, B's} of what differs between the environments."""
        a, b = map(_flat, self.environments)
        return {key: (a.get(key), b.get(key)) for key in sorted({*a, *b} - {"id"}) if a.get(key) != b.get(key)}


@dataclass(frozen=True)
class _Side:
    """One environment of one suite: its cells and columns by their names."""

    suite: str
    environment: Environment
    cells: dict[tuple[Any, ...], tuple[Place, Candidate, Column]]
    columns: dict[tuple[Any, ...], Column]


def compare(a: Sequence[Results], b: Sequence[Results]) -> list[Comparison]:
    """Every environment of each suite of A against every one of the suite of that name of B (of the only one of either
    side, whatever they are called). Raises UsageError where nothing stands against anything."""
    found = []
    for one, other in _paired_suites(a, b):
        same = one.folder.resolve() == other.folder.resolve()
        left = _sides(one)
        right = left if same else _sides(other)
        for number, mine in enumerate(left):
            found += [_comparison(mine, theirs) for theirs in (right[number + 1 :] if same else right)]
    found = [one for one in found if one.differences]
    if not found:
        raise UsageError(
            f"{_named(a)} and {_named(b)}: no cell of the one is scored in the other, elsewhere; "
            "give two folders of one suite's results, or twice one that holds several environments"
        )
    return found


def _named(results: Sequence[Results]) -> str:
    return ", ".join(str(one.folder) for one in results)


def _paired_suites(a: Sequence[Results], b: Sequence[Results]) -> list[tuple[Results, Results]]:
    if len(a) == len(b) == 1:
        return [(a[0], b[0])]
    named = {one.name: one for one in b}
    pairs = [(one, named[one.name]) for one in a if one.name in named]
    if not pairs:
        names = [", ".join(one.name for one in side) for side in (a, b)]
        raise UsageError(f"no suite is in both: {_named(a)} holds {names[0]}, {_named(b)} holds {names[1]}")
    return pairs


def _sides(results: Results) -> list[_Side]:
    by_environment: dict[str, dict[tuple[Any, ...], Column]] = {}
    for column in frame.columns([results]):
        key = tuple(getattr(column, axis) for axis in AXES)
        by_environment.setdefault(column.environment, {})[key] = column
    found = []
    for environment, own in by_environment.items():
        cells = {}
        described: Environment = {"id": environment}
        for place in results.places:
            if place.environment != environment or not (ok := scored(place)):
                continue
            described = ok[0].get("environment", described)
            cell = place.cell
            held = _of_cell(cell, own)
            if held is not None:
                cells[(*(cell[axis] for axis in AXES), cell["regime"])] = (place, *held)
        found.append(_Side(results.name, described, cells, own))
    return found


def _of_cell(cell: dict[str, Any], own: dict[tuple[Any, ...], Column]) -> tuple[Candidate, Column] | None:
    """The candidate of a cell in one of the columns where it stands: what sees no label stands in many."""
    for (task, model, size, noise), column in own.items():
        if (task, model) != (cell["task"], cell["model"]):
            continue
        if cell["size"] != 0 and (size, noise) != (cell["size"], float(cell["noise"])):
            continue
        for candidate in column.candidates:
            if candidate.name == cell["regime"] and candidate.kind != "baseline":
                return candidate, column
    return None


def _comparison(a: _Side, b: _Side) -> Comparison:
    both = [key for key in a.cells if key in b.cells]
    differences = [_difference(key, a.cells[key], b.cells[key]) for key in both]
    conclusions = [_conclusion(key, a.columns[key], b.columns[key]) for key in a.columns if key in b.columns]
    only = [[_words(key) for key in x.cells if key not in y.cells] for x, y in ((a, b), (b, a))]
    return Comparison((a.suite, b.suite), (a.environment, b.environment), differences, conclusions, only[0], only[1])


def _words(key: tuple[Any, ...]) -> str:
    task, model, size, noise, regime = key
    return f"{task}, {model}, {regime}, size {size}" + (f", noise {noise:g}" if noise else "")


def _conclusion(key: tuple[Any, ...], a: Column, b: Column) -> Conclusion:
    best = [max(c.candidates, key=lambda one: c.sign * one.mean).name for c in (a, b)]
    could = [sorted(c.could_be_best()) for c in (a, b)]
    return Conclusion(
        **dict(zip(AXES, key, strict=True)),
        best=(best[0], best[1]),
        could_be_best=(could[0], could[1]),
        verdict=(decide(a).chosen, decide(b).chosen),
    )


def _difference(
    key: tuple[Any, ...], a: tuple[Place, Candidate, Column], b: tuple[Place, Candidate, Column]
) -> Difference:
    (mine, one, column), (theirs, other, beside) = a, b
    trials = [{int(r["trial"]["seed"]): r for r in scored(place)} for place in (mine, theirs)]
    both = sorted(trials[0].keys() & trials[1].keys())
    pairs = [s for s in both if trials[0][s]["trial"]["id"] == trials[1][s]["trial"]["id"]]
    if column.metric != beside.metric:
        pairs, found, basis = [], (math.nan, math.nan, math.nan), f"another metric: {beside.metric}"
    elif pairs:
        found, basis = _over_pairs(one, other, pairs)
    else:
        found, basis = _unpaired(one, other)
    rows = [[side[s] for s in pairs] for side in trials]
    return Difference(
        **dict(zip((*AXES, "regime"), key, strict=True)),
        metric=column.metric,
        a=_mean(one, pairs),
        b=_mean(other, pairs),
        mean=found[0],
        low=found[1],
        high=found[2],
        pairs=len(pairs),
        seeds=(len(one.seeds), len(other.seeds)),
        basis=basis,
        same=bool(pairs) and all(map(_same, *rows)),
        seconds=_times(*rows),
        changed=() if pairs else _changed(*trials),
    )


def _same(a: Record, b: Record) -> bool:
    """Whether two attempts, wherever they ran, have the same scores."""
    return not records.disagreements([cast(Record, {**one, "environment": {}}) for one in (a, b)])


def _mean(one: Candidate, pairs: Sequence[int]) -> float:
    return float(one.scores[_rows(one, pairs)].mean()) if pairs else one.mean


def _rows(one: Candidate, seeds: Sequence[int]) -> list[int]:
    return [one.seeds.index(seed) for seed in seeds]


def _over_pairs(one: Candidate, other: Candidate, seeds: Sequence[int]) -> tuple[tuple[float, float, float], str]:
    """B − A over the trials that both hold, crossed with their test examples where both keep the same ones."""
    mine, theirs = _rows(one, seeds), _rows(other, seeds)
    each = other.scores[theirs] - one.scores[mine]
    parts, basis = [], []
    if len(seeds) > 1:
        parts.append((float(each.var(ddof=1)) / len(seeds), len(seeds) - 1.0))
        basis.append("seeds")
    if one.units is not None and other.units is not None and np.array_equal(one.examples, other.examples):  # type: ignore[arg-type]
        of = components(other.units[theirs] - one.units[mine])
        if of.examples > 1:
            parts.append((of.example_variance / of.examples, of.examples - 1.0))
            basis.append("examples")
    return _interval(float(each.mean()), parts), " and ".join(basis) or "nothing"


def _unpaired(one: Candidate, other: Candidate) -> tuple[tuple[float, float, float], str]:
    """B − A of different trials: their variances add up (Welch 1947)."""
    parts, basis = [], set()
    for side in (one, other):
        if len(side.seeds) > 1:
            parts.append((float(side.scores.var(ddof=1)) / len(side.seeds), len(side.seeds) - 1.0))
            basis.add("seeds")
        if side.units is not None and side.units.shape[1] > 1:
            of = components(side.units)
            parts.append((of.example_variance / of.examples, of.examples - 1.0))
            basis.add("examples")
    return _interval(other.mean - one.mean, parts), " and ".join(sorted(basis, reverse=True)) or "nothing"


def _interval(mean: float, parts: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    if not parts:
        return mean, math.nan, math.nan
    half = float(stdtrit(min(satterthwaite(parts), 1e9), 0.975)) * math.sqrt(sum(variance for variance, _ in parts))
    return mean, mean - half, mean + half


def _times(a: Sequence[Record], b: Sequence[Record]) -> float:
    """The geometric mean of how long B's trials took over A's."""
    totals = [(x["costs"].get("seconds", {}).get("total"), y["costs"].get("seconds", {}).get("total"))
              for x, y in zip(a, b, strict=True)]  # fmt: skip
    known = [math.log(y / x) for x, y in totals if x and y and x > 0 and y > 0]
    return math.exp(sum(known) / len(known)) if known else math.nan


def _changed(a: dict[int, Record], b: dict[int, Record]) -> tuple[str, ...]:
    """Which parts of the trials differ, of a seed that both have."""
    both = sorted(a.keys() & b.keys())
    if not both:
        return ("seed",)
    mine, theirs = (_flat({**side[both[0]]["trial"], "names": {}, "locations": {}}) for side in (a, b))
    return tuple(key for key in sorted({*mine, *theirs} - {"id"}) if mine.get(key) != theirs.get(key))


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """{dotted key: value} of nested dicts."""
    return dict(_walk(value, prefix))


def _walk(value: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        yield prefix, value
        return
    for key, inner in value.items():
        yield from _walk(inner, f"{prefix}.{key}" if prefix else str(key))
