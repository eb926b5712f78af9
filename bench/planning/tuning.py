"""What tuning tries for each seed of a cell, and what it chooses: the same rule for every regime.

Three values √10 apart around the default. Of those within one standard error of the best, paired over the held-out
examples, the one nearest to the default is chosen. While that is the outermost one, and better than its neighbour by
more than one standard error, one more value outside is tried.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from bench import plugins
from bench.errors import UsageError
from bench.modeling.models.facts import Facts
from bench.store.record import Record
from bench.suite.parameters import Tuned
from bench.suite.schema import Regime, Suite
from bench.suite.trial import Json, Trial
from bench.training.one_standard_error import STEP, Outcome, choose

MOST = 6
"""Values that a seed tries at most, unless the suite begins with more."""


@dataclass(frozen=True)
class Search:
    """What is searched: a parameter between two bounds, from `start` on. own: whether they are the regime's own;
    within: whether each trial does so itself, by cross-validation."""

    parameter: str
    low: float
    high: float
    start: float
    own: bool
    within: bool

    @property
    def fixed(self) -> bool:
        """Whether there is one value alone."""
        return self.low == self.high

    def to_json(self) -> Json:
        """What plan.json holds; `default`: whether the bounds are the regime's own."""
        bounds = {"low": self.low, "high": self.high}
        return {"parameter": self.parameter, **bounds, "start": self.start, "default": self.own}


@dataclass(frozen=True)
class Tried:
    """What one seed, or with `select: shared` all of them, tried. chosen: None while that is open; on_edge: whether it
    is the outermost value, and better than its neighbour by more than one standard error."""

    trials: dict[tuple[int, float], Trial]
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    chosen: float | None = None
    on_edge: bool = False

    @property
    def reported(self) -> list[Trial]:
        """The trial of each seed that was chosen."""
        return [] if self.chosen is None else [self.trials[seed, self.chosen] for seed in self.seeds]

    @property
    def others(self) -> list[Trial]:
        """Those that were not, or not yet."""
        return [trial for (_, value), trial in self.trials.items() if value != self.chosen]

    def to_json(self) -> Json:
        """What plan.json holds."""
        return {"seeds": [*self.seeds], "values": [*self.values], "chosen": self.chosen, "on_edge": self.on_edge}


def searched(regime: Regime, facts: Facts | None, optimizer: str = "adamw") -> Search | None:
    """What tuning searches: the suite's range, or its one value as both ends, or the regime's own range around its
    default for this kind of model and optimizer; None where nothing is tuned. facts: of the model, where known."""
    tuned: Tuned | None = plugins.load("regimes", regime.kind).TUNED
    if tuned is None:
        return None
    asked = getattr(regime.parameters, tuned.parameter)
    if asked is None:
        return Search(tuned.parameter, *tuned.bounds((optimizer, *_kinds(facts))), True, tuned.within)
    low, high = (float(asked), float(asked)) if isinstance(asked, (int, float)) else asked
    return Search(tuned.parameter, low, high, math.sqrt(low * high), False, tuned.within)


def _kinds(facts: Facts | None) -> tuple[str, ...]:
    """Words for what kind of model it is, by which defaults differ, the narrowest first."""
    if facts is None:
        return ()
    named = {"decoder": facts.decoder, "convolutional": facts.convolutional, "image": facts.modality == "image"}
    return tuple(kind for kind, is_one in named.items() if is_one)


def first_values(search: Search, count: int) -> tuple[float, ...]:
    """`count` values √10 apart around the start, or nearer where the bounds are; two are beside it, and never both
    bounds; the start alone where nothing is tuned."""
    if search.fixed or count <= 1:
        return (_round(search.start),)
    step = min(STEP, (search.high / search.low) ** (1 / max(count - 1, 2)))
    found = [search.start * step ** (i - (count - 1) / 2) for i in range(count)]
    inside = {min(max(_round(value), search.low), search.high) for value in found}
    return tuple(sorted(inside))


def tune(
    search: Search, count: int, seeds: tuple[int, ...], trial: Callable[[int, float], Trial],
    settled: Callable[[Trial], bool], latest: Mapping[str, Record],
) -> Tried:  # fmt: skip
    """How far the tuning of these seeds, by one value for all of them, has come. count: values to begin with."""
    values = first_values(search, count)
    while True:
        trials = {(seed, value): trial(seed, value) for seed, value in product(seeds, values)}
        tried = Tried(trials, seeds, values)
        if len(values) == 1:
            return Tried(trials, seeds, values, values[0])
        if not all(settled(one) for one in trials.values()):
            return tried
        outcomes = [[outcome(latest.get(trials[seed, value].id)) for seed in seeds] for value in values]
        chosen, on_edge = choose(values, search.start, outcomes)
        further = _beyond(search, values, chosen) if on_edge and len(values) < MOST else None
        if further is None:
            return Tried(trials, seeds, values, values[chosen], on_edge)
        values = tuple(sorted((*values, further)))


def outcome(record: Record | None) -> Outcome | None:
    """How a trial did on its held-out labels; None where it has no such score, or its metric is not installed here."""
    if record is None or record["status"] != "ok":
        return None
    scores = record["scores"]
    score = (scores.get("validation") or {}).get(scores["metric"])
    if score is None:
        return None
    try:
        sign = 1 if plugins.load("metrics", scores["metric"]).HIGHER_IS_BETTER else -1
    except UsageError:
        return None
    return Outcome(sign * score, sign * np.array(scores.get("validation_parts") or [], dtype=np.float64))


def _beyond(search: Search, values: Sequence[float], edge: int) -> float | None:
    """The value outside an outermost one; None where that would be out of bounds."""
    value = _round(values[edge] / STEP if edge == 0 else values[edge] * STEP)
    return value if search.low <= value * (1 + 1e-3) and value <= search.high * (1 + 1e-3) else None


def _round(value: float) -> float:
    return float(f"{value:.3g}")


def groups(suite: Suite, seeds: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The seeds that are tuned together."""
    return [seeds] if suite.tuning_select == "shared" else [(seed,) for seed in seeds]
