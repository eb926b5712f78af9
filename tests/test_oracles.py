"""Statistics against plain computations of their definitions, on random inputs: loops, SciPy, nothing of `bench`'s."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise, permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from bench.analysis.candidate import Candidate, clustered
from bench.analysis.column import Column
from bench.analysis.compare import _over_pairs
from bench.analysis.statistics import Scale, SeedVariance, moderated, satterthwaite
from bench.analysis.verdict import left_out
from bench.analysis.verdict.adequate import adequate
from bench.analysis.verdict.gains import gain
from bench.analysis.verdict.neighbours import neighbours

SEEDS = st.integers(0, 10**6)
ENDLESS = 1e9
Parts = list[tuple[float, float]]


def regimes(random: np.random.Generator, clusters: bool = False) -> Column:
    """Two to six regimes of two to five seeds with anything for scores, all on the same examples."""
    count, seeds, examples = random.integers(2, 6), int(random.integers(2, 6)), int(random.integers(12, 30))
    hard, groups = random.random(examples), np.arange(examples) // 3 if clusters else None
    found = []
    for k in range(count):
        own = np.clip(0.4 + 0.3 * hard + 0.05 * random.normal(size=(seeds, 1)), 0, 1)
        values = (random.random((seeds, examples)) < own).astype(float)
        names, at = tuple(range(seeds)), np.arange(examples)
        found.append(Candidate(f"r{k}", "full", True, names, values.mean(axis=1), values, at, groups))
    return Column("s", "t", "m", 64, 0.0, "e", "accuracy", False, (0.0, 1.0), 0.01, tuple(found), {})


def plain_units(values: Any, groups: Any) -> Any:
    if groups is None:
        return values
    names, examples = sorted(set(groups)), values.shape[1]
    return np.array(
        [
            [row.mean() + sum(row[groups == g] - row.mean()) * len(names) / examples for g in names]
            for row in values
        ]
    )  # fmt: skip


def plain_anova(y: Any) -> tuple[float, float, float]:
    """s² of the seeds' means, the part of an example's variance that seeds share, and MS_residual."""
    seeds, examples = y.shape
    rest = of_examples = 0.0
    for i in range(examples):
        of_examples += seeds * (y[:, i].mean() - y.mean()) ** 2 / (examples - 1)
        for s in range(seeds):
            left = y[s, i] - y[s].mean() - y[:, i].mean() + y.mean()
            rest += left**2 / ((seeds - 1) * (examples - 1))
    return float(np.var(y.mean(axis=1), ddof=1)), max(of_examples - rest, 0.0) / seeds, rest


def plain_df(parts: Parts) -> float:
    return float(sum(v for v, _ in parts) ** 2 / sum(v**2 / df for v, df in parts))


def plain_moderated(variance: float, df: float, others: list[tuple[float, float]]) -> tuple[float, float]:
    """Smyth's, with d₀ of at most 3 and of at most what the others know; one's own beyond F's 99 %."""
    known = sum(d for _, d in others)
    if not known or not sum(v for v, _ in others):
        return variance, df
    prior, prior_df = sum(v * d for v, d in others) / known, min(3.0, known)
    if stats.f.sf(variance / prior, df, prior_df) < 0.01:
        return variance, df
    return (prior_df * prior + df * variance) / (prior_df + df), prior_df + df


def slope(mean: float) -> float:
    part = min(max(mean, 0.01), 0.99)
    return part * (1 - part)


def plain_mean(one: Column, name: str) -> tuple[float, Parts, int]:
    """The mean of an accuracy and the parts of its variance."""
    units = {c.name: plain_units(c.values, c.clusters) for c in one.candidates}
    spread, shared, rest = plain_anova(units[name])
    seeds, count = units[name].shape
    level = {n: slope(float(u.mean())) for n, u in units.items()}
    others = [(plain_anova(u)[0] / level[n] ** 2, seeds - 1.0) for n, u in units.items() if n != name]
    variance, df = plain_moderated(spread / level[name] ** 2, seeds - 1, others)
    variance = max(variance * level[name] ** 2, rest / count if df < 3 else 0.0)
    parts = [(variance / seeds, df)] + ([(shared / count, count - 1.0)] if shared > 0 else [])
    return float(units[name].mean()), parts, count


def plain_difference(one: Column, a: str, b: str) -> tuple[float, Parts]:
    units = {c.name: plain_units(c.values, c.clusters) for c in one.candidates}
    level = {n: slope(float(u.mean())) for n, u in units.items()}
    names = list(units)
    seeds, count = units[a].shape
    spread, shared, rest = plain_anova(units[a] - units[b])

    def scale(x: str, y: str) -> float:
        return level[x] ** 2 + level[y] ** 2

    pairs = [(x, y) for k, x in enumerate(names) for y in names[k + 1 :] if {x, y} != {a, b}]
    each = (seeds - 1) * (len(names) - 2) / max(len(pairs), 1)
    others = [(plain_anova(units[x] - units[y])[0] / scale(x, y), each) for x, y in pairs]
    if seeds - 1 + each * len(pairs) < 3:
        others.append((plain_anova(units[a] + units[b])[0] / scale(a, b), seeds - 1.0))
    variance, df = plain_moderated(spread / scale(a, b), seeds - 1, others)
    variance = max(variance * scale(a, b), rest / count if df < 3 else 0.0)
    parts = [(variance / seeds, df)] + ([(shared / count, count - 1.0)] if shared > 0 else [])
    return float(units[a].mean() - units[b].mean()), parts


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.booleans())
def test_an_interval_is_wilson_s_with_what_anova_and_smyth_say(seed: int, clusters: bool) -> None:
    one = regimes(np.random.default_rng(seed), clusters)
    for name in one.names:
        mean, parts, _ = plain_mean(one, name)
        total = sum(v for v, _ in parts)
        if not 0 < mean < 1 or total <= 0:
            continue
        t, n = stats.t.ppf(0.975, plain_df(parts)), mean * (1 - mean) / total
        found = one.interval(name)
        ends = [
            optimize.brentq(lambda p: (mean - p) ** 2 * n - t**2 * p * (1 - p), *ends)  # noqa: B023
            for ends in ((0.0, mean), (mean, 1.0))
        ]
        assert (found.low, found.high) == pytest.approx(tuple(ends), abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.booleans())
def test_a_difference_is_student_s_with_what_anova_and_smyth_say(seed: int, clusters: bool) -> None:
    one = regimes(np.random.default_rng(seed), clusters)
    for a, b in permutations(one.names, 2):
        mean, parts = plain_difference(one, a, b)
        found = one.difference(a, b)
        assert found is not None
        if not sum(v for v, _ in parts):
            continue
        se, df = math.sqrt(sum(v for v, _ in parts)), plain_df(parts)
        assert (found.mean, found.se, found.df) == pytest.approx((mean, se, df), abs=1e-9)
        expected = stats.t.interval(0.95, df, mean, se)
        assert (found.low, found.high) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_who_could_be_best_and_who_is_adequate_by_their_p_values(seed: int) -> None:
    one = regimes(np.random.default_rng(seed))
    one = replace(one, tolerance=0.05)
    count = len(one.names)
    above: dict[tuple[str, str], float] = {}
    for a, b in permutations(one.names, 2):
        mean, parts = plain_difference(one, a, b)
        se = math.sqrt(sum(v for v, _ in parts)) or 1e-12
        above[a, b] = float(stats.t.sf(mean / se, plain_df(parts) if se > 1e-12 else ENDLESS))
        above[a, b, "more"] = float(stats.t.sf((mean - 0.05) / se, plain_df(parts)))  # type: ignore[index]
    beaten = {b for (a, b, *of), p in above.items() if not of and p < 0.05 / (count * (count - 1))}
    assert one.could_be_best() == set(one.names) - beaten
    level = 0.05 / (count - 1)
    standing = adequate(one).standing
    for name in one.names:
        out = any(above[a, name, "more"] < level for a in one.names if a != name)  # type: ignore[index]
        enough = all(1 - above[a, name, "more"] < level for a in one.names if a != name)  # type: ignore[index]
        assert standing[name] == ("out" if out else "adequate" if enough else "open")


@given(st.lists(st.floats(0, 9), min_size=2, max_size=9), st.lists(st.floats(0, 9), min_size=2, max_size=9))
def test_satterthwaite_s_degrees_of_freedom_are_welch_s(a: list[float], b: list[float]) -> None:
    if min(np.var(a), np.var(b)) < 1e-6:
        return
    parts = [(float(np.var(x, ddof=1)) / len(x), len(x) - 1) for x in (a, b)]
    assert satterthwaite(parts) == pytest.approx(stats.ttest_ind(a, b, equal_var=False).df)


@given(st.floats(0, 50), st.integers(1, 9), st.lists(st.floats(0.1, 5), max_size=6), st.integers(1, 9))
def test_moderated_variances_are_smyth_s(variance: float, df: int, others: list[float], each: int) -> None:
    found = moderated(variance, df, others, [each] * len(others))
    assert found == pytest.approx(plain_moderated(variance, df, [(one, each) for one in others]))


@given(st.floats(0.1, 100), st.floats(1e-6, 5), st.floats(1, 50))
def test_an_interval_of_a_ratio_is_the_delta_method_s_on_the_logarithm(mean: float, variance: float, df: float) -> None:
    found = Scale(0.0, math.inf).interval(mean, [(variance, df)], 10)
    low, high = stats.t.interval(0.95, df, math.log(mean), math.sqrt(variance) / mean)
    if high < 600:
        assert (math.log(found.low), math.log(found.high)) == pytest.approx((low, high), abs=1e-6)


@given(SEEDS, st.integers(2, 8))
def test_clusters_give_the_cluster_robust_variance(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    groups = np.concatenate([np.arange(count), random.integers(0, count, 20)])
    values = random.normal(size=(2, len(groups)))
    for row, found in zip(values, clustered(values, groups), strict=True):
        sums = [sum(row[groups == g] - row.mean()) for g in range(count)]
        robust = count / (count - 1) * sum(x**2 for x in sums) / len(row) ** 2
        assert found.mean() == pytest.approx(row.mean())
        assert found.var(ddof=1) / count == pytest.approx(robust)


@given(st.floats(0.1, 5), st.floats(0, 5), st.integers(2, 8), st.floats(0, 0.5))
def test_the_variance_of_seeds_that_share_labels_is_that_of_correlated_draws(
    own: float, luck: float, seeds: int, overlap: float
) -> None:
    """Labels' effects whose correlation is the overlap, and each seed's luck: what s² shows, and the mean's."""
    covariance = own / (1 - overlap) * (overlap * np.ones((seeds, seeds)) + (1 - overlap) * np.eye(seeds))
    covariance += luck * np.eye(seeds)
    shows = np.trace(covariance) / seeds - (covariance.sum() - np.trace(covariance)) / (seeds * (seeds - 1))
    found, _ = SeedVariance(shows, 3.0, own).of_mean(seeds, overlap)
    assert found == pytest.approx(covariance.mean())


@settings(max_examples=8, deadline=None)
@given(SEEDS)
def test_draws_of_a_lead_vary_as_its_test_says(seed: int) -> None:
    one = regimes(np.random.default_rng(seed))
    draws = one.draws(60_000, 1)
    freedom = 3 + len(one.candidates[0].seeds) - 1
    seeds, examples = one._covariances()
    assert draws.mean(axis=0) == pytest.approx([c.mean for c in one.candidates], abs=0.005)
    if min(np.linalg.eigvalsh(seeds).min(), np.linalg.eigvalsh(examples).min()) < -1e-12:
        return  # estimates pair by pair that no joint distribution has: what is below nothing is cut off
    for i, a in enumerate(one.names):
        for j, b in enumerate(one.names[:i]):
            _, parts = plain_difference(one, a, b)
            expected = parts[0][0] * freedom / (freedom - 2) + sum(v for v, _ in parts[1:])
            assert np.var(draws[:, i] - draws[:, j]) == pytest.approx(expected, rel=0.1)


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_a_gain_and_a_comparison_are_paired_tests(seed: int) -> None:
    """The same regime at two sizes; two folders' trials. Nobody lends a variance in either."""
    one = regimes(np.random.default_rng(seed))
    first, second = one.candidates[:2]
    renamed = [replace(x, name="r0") for x in (first, second)]
    found = gain(replace(one, candidates=(renamed[0],)), replace(one, candidates=(renamed[1],)), "r0")
    assert found is not None
    mean, parts = plain_difference(replace(one, candidates=(first, second)), second.name, first.name)
    assert (found.mean, found.se) == pytest.approx((mean, math.sqrt(sum(v for v, _ in parts))))
    seeds, count = second.values.shape  # type: ignore[union-attr]
    (mean, low, high), basis = _over_pairs(first, second, first.seeds)
    spread, shared, _ = plain_anova(second.values - first.values)  # type: ignore[operator]
    parts = [(spread / seeds, seeds - 1.0), (shared / count, count - 1.0)]
    if spread > 0 and shared > 0:
        expected = stats.t.interval(0.95, plain_df(parts), mean, math.sqrt(parts[0][0] + parts[1][0]))
        assert (low, high) == pytest.approx(expected)
        assert basis == "seeds and examples"


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_neighbours_and_regrets_by_plain_loops(seed: int) -> None:
    one = regimes(np.random.default_rng(seed))
    order = sorted(one.names, key=lambda name: -one.candidate(name).mean)
    alike = 0
    for better, worse in pairwise(order):
        mean, parts = plain_difference(one, better, worse)
        low, high = stats.t.interval(0.95, plain_df(parts), mean, math.sqrt(sum(v for v, _ in parts)))
        alike += low <= 0 <= high
    assert neighbours([one]) == (alike, len(order) - 1)
    best = one.candidate(order[0]).mean
    for name in order:
        assert left_out.regret(one, name) == pytest.approx((best - one.candidate(name).mean) / 0.01)
