"""What is compared with each other: the regimes and baselines at one task, model, size, noise rate and environment."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations
from typing import Any

import numpy as np

from bench.analysis.candidate import Candidate as Candidate
from bench.analysis.candidate import Difference as Difference
from bench.analysis.candidate import Floats as Floats
from bench.analysis.cell_candidates import baselines, candidate, records_of
from bench.analysis.metric_facts import facts
from bench.analysis.results import KEYS, Place, Results
from bench.analysis.statistics import (
    LEVEL,
    PRIOR_DF,
    Components,
    Interval,
    Scale,
    SeedVariance,
    components,
    moderated,
    quantile,
    satterthwaite,
)  # fmt: skip
from bench.analysis.tolerance import said, tolerance

BASELINE = "baseline_"
"""What the name of a baseline's column in the frame begins with."""
ALPHA = 0.05


@dataclass(frozen=True)
class _Pair:
    """A difference before variances are pooled. scale: what the seed variance is a multiple of; trained: those of the
    two that saw labels; sums: the seed variance of the sum, where both did; luck: what test examples bring into the
    seed variance."""

    mean: float
    seed_variance: float
    scale: float
    example_variance: float
    seeds: int
    examples: int
    trained: frozenset[str]
    overlap: float
    sums: float
    luck: float = 0.0


_Spread = tuple[float, float, float, float]
"""A seed variance, what test examples bring into it, its degrees of freedom, and what it is a multiple of."""


def _pooled(own: _Spread, others: Sequence[_Spread]) -> SeedVariance:
    """A seed variance drawn towards others', each as a multiple of its scale; where hardly anything is known of it, no
    less than what test examples bring into it. What labels bring into it is no less than what they bring into the
    others' on the mean, for with few seeds luck may seem to be all of it."""
    variance, luck, df, scale = own
    found, known = moderated(variance / scale, df, [v / s for v, _, _, s in others], [d for _, _, d, _ in others])
    of_others = float(np.mean([(v - k) / s for v, k, _, s in others])) if others else 0.0
    least = luck if known < PRIOR_DF else 0.0
    whole = max(found * scale, least)
    return SeedVariance(whole, known, max(whole - luck, of_others * scale, 0.0))


@dataclass(frozen=True, eq=False)
class Column:
    """The candidates at one place: regimes in the suite's order, then baselines. rows: the frame's row of each regime
    (costs and so on), by the regime's name."""

    suite: str
    task: str
    model: str
    size: int | str
    noise: float
    environment: str
    metric: str
    lower_is_better: bool
    range: tuple[float, float]
    tolerance: float
    candidates: tuple[Candidate, ...]
    rows: Mapping[str, Mapping[Any, Any]]

    def candidate(self, name: str) -> Candidate:
        """The candidate of this name. Raises KeyError."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Candidate]:
        return {one.name: one for one in self.candidates}

    @property
    def sign(self) -> float:
        """1, or −1 where lower is better."""
        return -1.0 if self.lower_is_better else 1.0

    @property
    def names(self) -> list[str]:
        """Of the candidates, in their order."""
        return [one.name for one in self.candidates]

    @property
    def unscored(self) -> list[str]:
        """Regimes that apply here and have no score yet, or failed with every seed."""
        return [n for n, row in self.rows.items() if not row["metric"] and row["state"] != "not_applicable"]

    @property
    def scale(self) -> Scale:
        """The metric's range."""
        return Scale(*self.range)

    def interval(self, name: str) -> Interval:
        """The 95 % interval of a candidate's mean, its seed variance drawn towards those of the column's others; NaN
        where the data allow none."""
        one = self.candidate(name)
        parts: list[tuple[float, float]] = []
        shared, units = self._alone(one) if one.units is not None or one.kind == "baseline" else (0.0, 0)
        if one.labelled and len(one.scores) > 1:
            parts.append(self._seed_variance(name).of_mean(len(one.scores), one.overlap))
        if shared > 0:
            parts.append((shared / units, units - 1))
        if not parts and one.units is None:
            return Interval(one.mean, math.nan, math.nan)
        return self.scale.interval(one.mean, parts, units)

    def difference(self, a: str, b: str) -> Difference | None:
        """How much better `a` is than `b`. None where no claim is possible: one seed of what trains, or nothing in
        common."""
        return self._differences.get((a, b))

    @cached_property
    def _differences(self) -> dict[tuple[str, str], Difference]:
        found = {names: self._difference(pair) for names, pair in self._pairs.items()}
        return found | {(b, a): difference.reversed for (a, b), difference in found.items()}

    def _difference(self, pair: _Pair) -> Difference:
        parts: list[tuple[float, float]] = []
        of = self._pair_variance(pair) if pair.trained else SeedVariance(0.0, 0.0, 0.0)
        if pair.trained:
            parts.append(of.of_mean(pair.seeds, pair.overlap))
        if pair.example_variance > 0:
            parts.append((pair.example_variance / pair.examples, pair.examples - 1))
        se, df = math.sqrt(sum(part for part, _ in parts)), satterthwaite(parts)
        half = quantile(0.5 + LEVEL / 2, df) * se
        return Difference(
            pair.mean, se, df, pair.mean - half, pair.mean + half,
            of.variance, of.df, pair.example_variance, pair.seeds, pair.examples,
        )  # fmt: skip

    @cached_property
    def _pairs(self) -> dict[tuple[str, str], _Pair]:
        found = ((a.name, b.name, self._pair(a, b)) for a, b in combinations(self.candidates, 2))
        return {(a, b): pair for a, b, pair in found if pair is not None}

    @cached_property
    def _regimes(self) -> list[_Pair]:
        """The pairs without a baseline that trained: those vary alike."""
        simple = {one.name for one in self.candidates if one.kind == "baseline"}
        return [pair for names, pair in self._pairs.items() if not simple.intersection(names)]

    def _pair_variance(self, pair: _Pair) -> SeedVariance:
        """The seed variance of a difference, drawn towards those of the other pairs of as many that train, which know
        as much as there are candidates beside these two. Where that makes fewer than d₀ degrees of freedom with its
        own, towards that of the two's sum as well: it is as large where their seeds are independent, and larger, on the
        safe side, where they rise and fall together."""
        others = [p for p in self._regimes if len(p.trained) == len(pair.trained) and p.trained != pair.trained]
        beside = {name for p in others for name in p.trained} - pair.trained
        share = (pair.seeds - 1) * len(beside) / max(len(others), 1)
        lent = [(p.seed_variance, p.luck, share, p.scale) for p in others]
        if len(pair.trained) == 2 and pair.seeds - 1 + share * len(others) < PRIOR_DF:
            lent.append((pair.sums, pair.luck, pair.seeds - 1, pair.scale))
        return _pooled((pair.seed_variance, pair.luck, pair.seeds - 1, pair.scale), lent)

    def _seed_variance(self, name: str) -> SeedVariance:
        """The variance of one seed's score, drawn towards those of the other candidates; of a single seed theirs
        alone."""
        own = self.candidate(name)
        others = [
            one for one in self.candidates
            if one.labelled and len(one.scores) > 1 and one.kind != "baseline" and one.name != name
        ]  # fmt: skip
        return _pooled(self._spread(own), [self._spread(one) for one in others])

    def _spread(self, one: Candidate) -> _Spread:
        parts = self._parts.get(one.name)
        luck, df = parts.own_variance / parts.examples if parts else 0.0, len(one.scores) - 1
        return float(one.scores.var(ddof=1)) if df else 0.0, luck, df, self.scale.slope(one.mean) ** 2

    def _pair(self, a: Candidate, b: Candidate) -> _Pair | None:
        trained = [one for one in (a, b) if one.labelled]
        seeds = sorted(set.intersection(*(set(one.seeds) for one in trained))) if trained else [0]
        if trained and len(seeds) < 2:
            return None
        mine, theirs = _rows(a, seeds), _rows(b, seeds)
        overlap = max((one.overlap for one in trained), default=0.0)
        names = frozenset(one.name for one in trained)
        scale = sum(self.scale.slope(one.mean) ** 2 for one in trained)
        each = self.sign * (a.scores[mine] - b.scores[theirs])
        mean, spread = float(each.mean()), float(each.var(ddof=1)) if trained else 0.0
        sums = float((a.scores[mine] + b.scores[theirs]).var(ddof=1)) if len(trained) == 2 else 0.0
        if a.units is not None and b.units is not None and np.array_equal(a.examples, b.examples):  # type: ignore[arg-type]
            of = components(a.units[mine] - b.units[theirs])
            luck = of.own_variance / of.examples
            return _Pair(mean, spread, scale, of.example_variance, len(seeds), of.examples, names, overlap, sums, luck)
        alone = [self._alone(one) for one in (a, b)]
        examples = max(n for _, n in alone)
        shared = sum(variance for variance, _ in alone) if examples > 1 else 0.0
        if not trained and not shared:
            return None
        return _Pair(mean, spread, scale, shared, len(seeds), max(examples, 1), names, overlap, sums)

    def _alone(self, one: Candidate) -> tuple[float, int]:
        """The variance of one example's value and the number of examples; of a candidate without predictions what those
        of the others say of a score of its height."""
        if one.units is not None:
            return self._parts[one.name].example_variance, one.units.shape[1]
        ratio, examples = self._ratio
        return ratio * self.scale.slope(one.mean), examples

    @cached_property
    def _parts(self) -> dict[str, Components]:
        return {one.name: components(one.units) for one in self.candidates if one.units is not None}

    @cached_property
    def _ratio(self) -> tuple[float, int]:
        """The variance of one example as a multiple of p(1 − p), and how many there are, over those who have any."""
        known = [
            (self._parts[one.name], self.scale.slope(one.mean)) for one in self.candidates if one.units is not None
        ]
        if not known:
            return 0.0, 0
        return float(np.mean([of.example_variance / slope for of, slope in known])), known[0][0].examples

    def could_be_best(self) -> frozenset[str]:
        """Who is left when each leaves whom some other beats at one-sided .05/(K − 1) (multiple comparisons with the
        best, Hsu 1984)."""
        names = [one.name for one in self.candidates if one.complete]
        alpha = ALPHA / max(len(names) * (len(names) - 1), 1)
        left = set(names)
        for a, b in combinations(names, 2):
            for winner, loser in ((a, b), (b, a)):
                difference = self.difference(winner, loser)
                if difference is not None and difference.beyond(0.0, alpha):
                    left.discard(loser)
        return frozenset(left)

    def draws(self, count: int, seed: int) -> Floats:
        """[count, K] draws of the true means, in the order of `candidates`, larger is better, from their joint
        distribution: t with the pooled degrees of freedom for seeds, normal for examples."""
        means = self.sign * np.array([one.mean for one in self.candidates])
        seeds, examples = self._covariances()
        df = PRIOR_DF + max((len(one.seeds) for one in self.candidates if one.labelled), default=1) - 1
        stretch, of_seeds, of_examples = _standard(count, len(means), df, seed)
        found: Floats = means + of_seeds @ _root(seeds).T * stretch + of_examples @ _root(examples).T
        return found

    def _covariances(self) -> tuple[Floats, Floats]:
        """[K, K] of the means: what seeds bring, and what examples bring. Of a pair without a difference, 0."""
        size = len(self.candidates)
        seeds, examples = np.zeros((size, size)), np.zeros((size, size))
        for k, one in enumerate(self.candidates):
            if one.labelled:
                seeds[k, k], _ = self._seed_variance(one.name).of_mean(len(one.scores), one.overlap)
            variance, n = self._alone(one)
            examples[k, k] = variance / n if n else 0.0
        places = {one.name: k for k, one in enumerate(self.candidates)}
        for (a, b), pair in self._pairs.items():
            i, j = places[a], places[b]
            difference = self.difference(a, b)
            if difference is None:
                continue
            of_seeds, _ = self._pair_variance(pair).of_mean(pair.seeds, pair.overlap) if pair.trained else (0.0, 0.0)
            seeds[i, j] = seeds[j, i] = (seeds[i, i] + seeds[j, j] - of_seeds) / 2
            examples[i, j] = examples[j, i] = (
                examples[i, i] + examples[j, j] - pair.example_variance / pair.examples
            ) / 2
        return seeds, examples


def _rows(one: Candidate, seeds: Sequence[int]) -> list[int]:
    """The places of these seeds; what sees no label has one, for every seed."""
    return [one.seeds.index(seed) for seed in seeds] if one.labelled else [0]


@lru_cache(maxsize=4)
def _standard(count: int, width: int, df: float, seed: int) -> tuple[Floats, Floats, Floats]:
    """What draws are made of, the same for every column of as many candidates and seeds: [count, 1] by which Student's
    t stretches the normal, and [count, width] standard normals twice."""
    random = np.random.default_rng(seed)
    stretch = np.sqrt(df / random.chisquare(df, size=(count, 1)))
    return stretch, random.standard_normal((count, width)), random.standard_normal((count, width))


def _root(covariance: Floats) -> Floats:
    """[K, K] whose square that is; what rounding or pairwise estimates left below nothing is nothing."""
    values, vectors = np.linalg.eigh(covariance)
    found: Floats = vectors * np.sqrt(np.clip(values, 0, None))
    return found


def built(results: Results, rows: Sequence[tuple[Mapping[Any, Any], Place]], on: str = "") -> list[Column]:
    """The column of these rows of the frame, which are equal in `KEYS`; one for each metric that they are compared by.
    It holds the rows themselves, so that it knows what is written into them later.

    on: the name of an also_test set; empty: the test split. A baseline's scores are those that the records of all of
    them tell. Raises StoreError where a record has no such score.
    """
    found = []
    for metric in dict.fromkeys(str(row["metric"]) for row, _ in rows if row["metric"]):
        own = [(row, place) for row, place in rows if row["metric"] == metric and records_of(place, metric, on)]
        ok = [(place.cell["size"] != 0, record) for _, place in own for record in records_of(place, metric, on)]
        candidates = [candidate(results, row, place, metric, on) for row, place in own]
        if not candidates:
            continue
        about = facts(metric, [record for _, record in ok])
        best = (min if about.lower_is_better else max)(one.mean for one in candidates)
        found.append(
            Column(
                **{key: own[0][0][key] for key in KEYS},
                metric=metric,
                lower_is_better=about.lower_is_better,
                range=about.range,
                tolerance=tolerance(metric, said(results.plan), best),
                candidates=(*candidates, *baselines(ok, metric, on)),
                rows={row["regime"]: row for row, _ in rows},
            )
        )
    return found
