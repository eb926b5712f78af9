"""What is compared with each other: the regimes and baselines at one task, model, size, noise rate and environment."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from bench.analysis.cell_scores import collect
from bench.analysis.metric_facts import score_range
from bench.analysis.results import KEYS, Place, Results, places, scored
from bench.analysis.statistics import PRIOR_DF, components, moderated, satterthwaite
from bench.analysis.tolerance import said, tolerance
from bench.store.record import Record

Floats = NDArray[np.float64]
BASELINE = "baseline_"
"""What the name of a baseline's column in the frame begins with."""
LEVEL = 0.95
ALPHA = 0.05


@dataclass(frozen=True, eq=False)
class Candidate:
    """One regime, or one baseline, at one place.

    labelled: whether it saw labels; else it has one score, whatever the seed. scores: [S], as recorded, in the metric's
    unit, without failed seeds; values: pseudo-values [S, N], whose mean over N is the score, None where there are no
    predictions to use; examples: [N]; clusters: [N], None where every example is its own; failed: seeds that failed or
    diverged; degenerate: seeds whose answers are constant.
    """

    name: str
    kind: str
    labelled: bool
    seeds: tuple[int, ...]
    scores: Floats
    values: Floats | None
    examples: NDArray[np.int64] | None
    clusters: NDArray[np.int64] | None = None
    failed: int = 0
    degenerate: int = 0

    @property
    def mean(self) -> float:
        """The mean over seeds, in the metric's unit."""
        return float(self.scores.mean())

    @cached_property
    def units(self) -> Floats | None:
        """The values by what was drawn at random, [S, clusters or N]: where examples come in clusters, each cluster's
        share of the mean's deviation (Miller 2024, arXiv 2411.00640)."""
        if self.values is None or self.clusters is None:
            return self.values
        return clustered(self.values, self.clusters)


def clustered(values: Floats, clusters: NDArray[np.int64]) -> Floats:
    """[S, N] → [S, C]: θ_s + C/N Σ over a cluster of (y_si − θ_s), of which the mean is θ_s and the variance over C is
    the cluster-robust variance of θ_s."""
    _, place = np.unique(clusters, return_inverse=True)
    count = int(place.max()) + 1
    means = values.mean(axis=1, keepdims=True)
    sums = np.zeros((count, len(values)))
    np.add.at(sums, place, (values - means).T)
    found: Floats = means + sums.T * (count / values.shape[1])
    return found


@dataclass(frozen=True)
class Difference:
    """How much better one candidate is than another, in the metric's unit: positive where the first is better.

    low, high: the 95 % interval; seed_variance: of one seed's difference, drawn towards those of the column's other
    pairs; example_variance: of one example's difference, as far as all seeds share it, 0 where examples are unknown;
    seeds, examples: S and N (clusters, where there are any).
    """

    mean: float
    se: float
    df: float
    low: float
    high: float
    seed_variance: float
    example_variance: float
    seeds: int
    examples: int

    def beyond(self, margin: float, alpha: float) -> bool:
        """Whether it is above a margin, one-sided at this level."""
        return self.mean - margin > quantile(1 - alpha, self.df) * self.se


def quantile(probability: float, df: float) -> float:
    """Student's t, also for endless degrees of freedom."""
    return float(stdtrit(min(df, 1e9), probability))


@dataclass(frozen=True)
class _Pair:
    """A difference before variances are pooled. scale: what the seed variance is a multiple of."""

    mean: float
    seed_variance: float
    scale: float
    example_variance: float
    seeds: int
    examples: int
    trained: bool


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
    rows: dict[str, dict[str, Any]]

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

    def slope(self, score: float) -> float:
        """What one unit on the scale on which seed variances are alike is worth at a score: p(1 − p) of the range where
        it is finite (the logit's), the score itself where it has but a lower end (the logarithm's), else 1."""
        low, high = self.range
        if math.isfinite(low) and math.isfinite(high):
            part = min(max((score - low) / (high - low), 0.01), 0.99)
            return (high - low) * part * (1 - part)
        return max(abs(score), 1e-12) if math.isfinite(low) or math.isfinite(high) else 1.0

    def difference(self, a: str, b: str) -> Difference | None:
        """How much better `a` is than `b`. None where no claim is possible: one seed of what trains, or nothing in
        common."""
        if a == b:
            return None
        pair = self._pairs.get((a, b))
        turned = self._pairs.get((b, a)) if pair is None else None
        found = pair or turned
        if found is None:
            return None
        parts = []
        variance = 0.0
        if found.trained:
            variance, df = moderated(found.seed_variance, found.seeds - 1, self._prior * found.scale)
            parts.append((variance / found.seeds, df))
        if found.example_variance > 0:
            parts.append((found.example_variance / found.examples, found.examples - 1))
        total = sum(part for part, _ in parts)
        mean, se, df = found.mean if pair else -found.mean, math.sqrt(total), satterthwaite(parts)
        half = quantile(0.5 + LEVEL / 2, df) * se
        return Difference(
            mean, se, df, mean - half, mean + half, variance, found.example_variance, found.seeds, found.examples
        )

    @cached_property
    def _pairs(self) -> dict[tuple[str, str], _Pair]:
        found = ((a.name, b.name, self._pair(a, b)) for a, b in combinations(self.candidates, 2))
        return {(a, b): pair for a, b, pair in found if pair is not None}

    @cached_property
    def _prior(self) -> float:
        """The pooled seed variance of a difference, as a multiple of its scale."""
        own = [p.seed_variance / p.scale for p in self._pairs.values() if p.trained]
        return float(np.mean(own)) if own else 0.0

    def _pair(self, a: Candidate, b: Candidate) -> _Pair | None:
        trained = [one for one in (a, b) if one.labelled]
        seeds = sorted(set.intersection(*(set(one.seeds) for one in trained))) if trained else [0]
        if trained and len(seeds) < 2:
            return None
        mine, theirs = _rows(a, seeds), _rows(b, seeds)
        scale = sum(self.slope(one.mean) ** 2 for one in trained)
        each = self.sign * (a.scores[mine] - b.scores[theirs])
        mean, spread = float(each.mean()), float(each.var(ddof=1)) if trained else 0.0
        if a.units is not None and b.units is not None and np.array_equal(a.examples, b.examples):  # type: ignore[arg-type]
            of = components(a.units[mine] - b.units[theirs])
            return _Pair(mean, spread, scale, of.example_variance, len(seeds), of.examples, bool(trained))
        alone = [self._alone(one) for one in (a, b)]
        examples = max(n for _, n in alone)
        shared = sum(variance for variance, _ in alone) if examples > 1 else 0.0
        if not trained and not shared:
            return None
        return _Pair(mean, spread, scale, shared, len(seeds), max(examples, 1), bool(trained))

    def _alone(self, one: Candidate) -> tuple[float, int]:
        """The variance of one example's value and the number of examples; of a candidate without predictions what those
        of the others say of a score of its height."""
        if one.units is not None:
            return components(one.units).example_variance, one.units.shape[1]
        ratio, examples = self._ratio
        return ratio * self.slope(one.mean), examples

    @cached_property
    def _ratio(self) -> tuple[float, int]:
        """The variance of one example as a multiple of p(1 − p), and how many there are, over those who have any."""
        known = [(components(one.units), self.slope(one.mean)) for one in self.candidates if one.units is not None]
        if not known:
            return 0.0, 0
        return float(np.mean([of.example_variance / slope for of, slope in known])), known[0][0].examples

    def could_be_best(self) -> frozenset[str]:
        """Who is left when each leaves whom some other beats at one-sided .05/(K − 1) (multiple comparisons with the
        best, Hsu 1984)."""
        names = [one.name for one in self.candidates]
        alpha = ALPHA / max(len(names) - 1, 1)
        left = set(names)
        for a, b in self._pairs:
            for winner, loser in ((a, b), (b, a)):
                difference = self.difference(winner, loser)
                if difference is not None and difference.beyond(0.0, alpha):
                    left.discard(loser)
        return frozenset(left)

    def draws(self, count: int, seed: int) -> Floats:
        """[count, K] draws of the true means, in the order of `candidates`, larger is better, from their joint
        distribution: t with the pooled degrees of freedom for seeds, normal for examples."""
        random = np.random.default_rng(seed)
        means = self.sign * np.array([one.mean for one in self.candidates])
        seeds, examples = self._covariances()
        df = PRIOR_DF + max((len(one.seeds) for one in self.candidates if one.labelled), default=1) - 1
        stretch = np.sqrt(df / random.chisquare(df, size=(count, 1)))
        found: Floats = means + _normal(random, seeds, count) * stretch + _normal(random, examples, count)
        return found

    def _covariances(self) -> tuple[Floats, Floats]:
        """[K, K] of the means: what seeds bring, and what examples bring. Of a pair without a difference, 0."""
        size = len(self.candidates)
        seeds, examples = np.zeros((size, size)), np.zeros((size, size))
        prior = self._own_prior
        for k, one in enumerate(self.candidates):
            if one.labelled:
                own = float(one.scores.var(ddof=1)) if len(one.scores) > 1 else 0.0
                variance, _ = moderated(own, len(one.scores) - 1, prior * self.slope(one.mean) ** 2)
                seeds[k, k] = variance / len(one.scores)
            variance, n = self._alone(one)
            examples[k, k] = variance / n if n else 0.0
        places = {one.name: k for k, one in enumerate(self.candidates)}
        for (a, b), pair in self._pairs.items():
            i, j = places[a], places[b]
            difference = self.difference(a, b)
            if difference is None:
                continue
            of_seeds = difference.seed_variance / pair.seeds if pair.trained else 0.0
            seeds[i, j] = seeds[j, i] = (seeds[i, i] + seeds[j, j] - of_seeds) / 2
            examples[i, j] = examples[j, i] = (
                examples[i, i] + examples[j, j] - pair.example_variance / pair.examples
            ) / 2
        return seeds, examples

    @cached_property
    def _own_prior(self) -> float:
        own = [
            float(one.scores.var(ddof=1)) / self.slope(one.mean) ** 2
            for one in self.candidates
            if one.labelled and len(one.scores) > 1
        ]
        return float(np.mean(own)) if own else 0.0


def _rows(one: Candidate, seeds: Sequence[int]) -> list[int]:
    """The places of these seeds; what sees no label has one, for every seed."""
    return [one.seeds.index(seed) for seed in seeds] if one.labelled else [0]


def _normal(random: np.random.Generator, covariance: Floats, count: int) -> Floats:
    """[count, K] draws; what rounding or pairwise estimates left below nothing is nothing."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.clip(values, 0, None))
    found: Floats = random.standard_normal((count, len(covariance))) @ root.T
    return found


def columns(results: Sequence[Results], frame: pd.DataFrame) -> list[Column]:
    """Every column of which the frame has rows with a score, in the frame's order."""
    found = []
    for one in results:
        own = frame[frame["suite"] == one.name]
        known = {
            (*(p.cell[key] for key in ("task", "model", "regime", "size", "noise")), p.environment): p
            for p in places(one)
        }
        for _, rows in own.groupby(KEYS, sort=False, dropna=False):
            column = _column(one, rows.to_dict("records"), known)
            if column is not None:
                found.append(column)
    return found


def _column(results: Results, rows: Sequence[Mapping[Any, Any]], known: dict[tuple[Any, ...], Place]) -> Column | None:
    first = next((row for row in rows if row["metric"]), None)
    if first is None:
        return None
    metric, candidates, records = str(first["metric"]), [], []
    for row in rows:
        if row["metric"] != metric:
            continue
        labelled = row["labels"] != 0
        size, noise = (row["size"], row["noise"]) if labelled else (0, 0.0)
        place = known.get((row["task"], row["model"], row["regime"], size, noise, row["environment"]))
        ok = scored(place) if place is not None else []
        if place is None or not ok:
            continue  # another suite's of the same name
        sample = collect(results.folder, ok, metric, labelled=labelled, unusable=results.unusable)
        failed = sum(r["status"] not in ("ok", "not_applicable") for r in place.attempts)
        candidates.append(
            Candidate(row["regime"], row["kind"], labelled, sample.seeds, sample.scores, sample.outcomes,
                      sample.examples, sample.clusters, failed)
        )  # fmt: skip
        records += [(labelled, record) for record in ok]
    if not candidates:
        return None
    best = (min if first["lower_is_better"] else max)(one.mean for one in candidates)
    return Column(
        **{key: first[key] for key in KEYS},
        metric=metric,
        lower_is_better=bool(first["lower_is_better"]),
        range=score_range(metric),
        tolerance=tolerance(metric, said(results.plan), best),
        candidates=(*candidates, *_baselines(records, metric)),
        rows={row["regime"]: dict(row) for row in rows},
    )


def _baselines(records: Sequence[tuple[bool, Record]], metric: str) -> Iterator[Candidate]:
    """Every baseline that a record has: of each seed the score that any of its records tells, for all saw the same
    labels. One that a regime without labels has too saw none."""
    found: dict[str, dict[int, float]] = {}
    blind: dict[str, float] = {}
    for labelled, record in records:
        for name, scores in record["scores"].get("baselines", {}).items():
            value = (scores or {}).get(metric)
            if value is None:
                continue
            if labelled:
                found.setdefault(name, {}).setdefault(int(record["trial"]["seed"]), float(value))
            else:
                blind[name] = float(value)
    for name in dict.fromkeys([*found, *blind]):
        if name in blind:
            yield Candidate(name, "baseline", False, (0,), np.array([blind[name]]), None, None)
        else:
            seeds = tuple(sorted(found[name]))
            yield Candidate(name, "baseline", True, seeds, np.array([found[name][s] for s in seeds]), None, None)
