"""Intervals, differences and sets that could be best, against other libraries and what they got wrong before."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factory import Factory
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.analysis import frame
from bench.analysis.candidate import Candidate, clustered
from bench.analysis.column import Column
from bench.analysis.statistics import Scale, SeedVariance, components, moderated, satterthwaite
from bench.report.section import sections

FINITE = st.floats(0, 1, allow_nan=False)


def candidate(name: str, values: Any, **options: Any) -> Candidate:
    values = np.asarray(values, dtype=float)
    seeds, examples = tuple(range(len(values))), np.arange(values.shape[1])
    return Candidate(name, name, options.pop("labelled", True), seeds, values.mean(axis=1), values, examples, **options)


def column(*candidates: Candidate, range: tuple[float, float] = (0.0, 1.0), lower: bool = False) -> Column:
    return Column("s", "t", "m", 64, 0.0, "e", "accuracy", lower, range, 0.01, candidates, {})


def drawn(random: np.random.Generator, count: int, seeds: int, examples: int, **options: Any) -> list[Candidate]:
    """Equal regimes of accuracy .8 (`level`) whose seeds differ by `sd`."""
    level, sd = options.get("level", 0.8), options.get("sd", 0.02)
    hard = random.normal(size=examples)
    found = []
    for k in range(count):
        own = 0.7 * hard + 0.5 * random.normal(size=examples) + 0.51 * random.normal(size=(seeds, examples))
        bar = stats.norm.ppf(np.clip(level + sd * random.normal(size=(seeds, 1)), 0.01, 0.99))
        found.append(candidate(f"r{k}", own < bar))
    return found


@given(st.integers(2, 6), st.integers(2, 30), st.integers(0, 10**6))
def test_components_are_those_of_a_two_way_analysis_of_variance(seeds: int, examples: int, seed: int) -> None:
    y = np.random.default_rng(seed).normal(size=(seeds, examples))
    found, mean = components(y), y.mean()
    of_examples = seeds * ((y.mean(0) - mean) ** 2).sum() / (examples - 1)
    residual = ((y - y.mean(0) - y.mean(1)[:, None] + mean) ** 2).sum() / ((seeds - 1) * (examples - 1))
    assert found.mean == pytest.approx(mean)
    assert found.seed_variance == pytest.approx(y.mean(1).var(ddof=1))
    assert found.example_variance == pytest.approx(max(of_examples - residual, 0) / seeds, abs=1e-12)
    assert found.own_variance == pytest.approx(residual)


@given(st.lists(FINITE, min_size=3, max_size=40).filter(lambda y: np.std(y) > 1e-3))
def test_of_one_seed_an_unbounded_interval_is_student_s(values: list[float]) -> None:
    found = column(candidate("a", [values]), range=(-math.inf, math.inf)).interval("a")
    expected = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    assert (found.low, found.high) == pytest.approx(expected)


@given(st.integers(0, 200), st.integers(1, 200))
def test_of_a_proportion_it_is_wilson_s(hits: int, count: int) -> None:
    hits = min(hits, count)
    part = hits / count
    found = Scale(0.0, 1.0).interval(part, [(part * (1 - part) / count, 1e12)], count)
    expected = stats.binomtest(hits, count).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-6)


@given(FINITE, st.floats(1e-9, 0.2), st.floats(1, 40))
def test_a_bounded_interval_stays_in_its_range_and_holds_the_mean(mean: float, variance: float, df: float) -> None:
    for low, high in ((0.0, 1.0), (0.0, 100.0), (-1.0, 1.0)):
        score = low + mean * (high - low)
        found = Scale(low, high).interval(score, [(variance * (high - low) ** 2, df)], 50)
        assert low - 1e-12 <= found.low <= score <= found.high <= high + 1e-12


def test_all_right_in_every_seed_is_not_certain() -> None:
    found = column(candidate("a", np.ones((3, 90)))).interval("a")
    assert found.high == 1
    assert found.low == pytest.approx(stats.binomtest(90, 90).proportion_ci(method="wilson").low, abs=1e-3)


def test_a_ratio_s_interval_is_on_the_logarithm() -> None:
    found = Scale(0.0, math.inf).interval(2.0, [(0.25, 1e12)], 100)
    factor = math.exp(1.959964 * 0.25)
    assert (found.low, found.high) == pytest.approx((2 / factor, 2 * factor), rel=1e-5)
    assert Scale(1.0, math.inf).interval(1.1, [(0.25, 1e12)], 100).low == 1


def test_satterthwaite_of_equal_parts_adds_their_degrees_of_freedom() -> None:
    assert satterthwaite([(1.0, 4), (1.0, 4)]) == pytest.approx(8)
    assert satterthwaite([(0.7, 5)]) == pytest.approx(5)


def test_a_seed_variance_is_drawn_towards_those_of_its_like() -> None:
    assert moderated(0.0, 1, [4.0, 4.0], [1, 2]) == (3.0, 4.0)  # (3·4 + 1·0)/4
    assert moderated(4.0, 2, [], []) == (4.0, 2)  # nobody to learn from
    assert moderated(0.0, 1, [2.0], [1]) == (1.0, 2.0)  # who knows as little has as little weight
    beyond = 4.0 * stats.f.ppf(0.99, 2, 3) * 1.01
    assert moderated(beyond, 2, [4.0] * 6, [2] * 6) == (beyond, 2)


@pytest.mark.parametrize("seeds", [2, 5])
def test_intervals_and_differences_cover_95_percent(seeds: int) -> None:
    random, held, pairs = np.random.default_rng(seeds), [], []
    for _ in range(150):
        one = column(*drawn(random, 5, seeds, 300))
        for k in range(5):
            interval = one.interval(f"r{k}")
            held.append(interval.low <= 0.8 <= interval.high)
        for k in range(1, 5):
            difference = one.difference("r0", f"r{k}")
            assert difference is not None
            pairs.append(difference.low <= 0 <= difference.high)
    assert 0.92 <= np.mean(held) <= 0.98
    assert 0.92 <= np.mean(pairs) <= 0.98


def test_two_regimes_of_two_seeds_are_covered_with_nobody_to_learn_from() -> None:
    """With Student's t on what two seeds show of themselves both were below .92."""
    random, held, pairs = np.random.default_rng(8), [], []
    for _ in range(600):
        one = column(*drawn(random, 2, 2, 300, sd=0.03))
        difference = one.difference("r0", "r1")
        assert difference is not None
        pairs.append(difference.low <= 0 <= difference.high)
        alone = column(one.candidates[0]).interval("r0")
        held.append(alone.low <= 0.8 <= alone.high)
    assert np.mean(pairs) >= 0.93
    assert np.mean(held) >= 0.93


def test_seven_equal_regimes_all_could_be_best() -> None:
    random = np.random.default_rng(0)
    lost = [len(column(*drawn(random, 7, 3, 300)).could_be_best()) < 7 for _ in range(120)]
    assert np.mean(lost) <= 0.08  # 5 %, with room for chance; every pair by its own 95 % interval loses some in 40 %


def test_who_is_beaten_leaves() -> None:
    random = np.random.default_rng(1)
    good, bad = drawn(random, 3, 5, 1000), drawn(random, 1, 5, 1000, level=0.5)
    found = column(*good, candidate("bad", bad[0].values))
    assert found.could_be_best() == {"r0", "r1", "r2"}
    turned = column(*good, candidate("bad", bad[0].values), lower=True)
    assert turned.could_be_best() == {"bad"}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_differences_are_antisymmetric_and_draws_have_their_means(seed: int) -> None:
    random = np.random.default_rng(seed)
    one = column(*drawn(random, 3, 3, 60))
    there, back = one.difference("r0", "r1"), one.difference("r1", "r0")
    assert there is not None
    assert back is not None
    assert (back.mean, back.low, back.high) == (-there.mean, -there.high, -there.low)
    draws = one.draws(4000, seed)
    assert np.array_equal(draws, one.draws(4000, seed))
    gap = draws[:, 0] - draws[:, 1]
    assert gap.mean() == pytest.approx(there.mean, abs=6 * there.se / 4000**0.5 + 1e-9)
    if there.se > 0:
        assert 0.6 <= gap.std() / (there.se * (there.df / max(there.df - 2, 1)) ** 0.5) <= 1.4


def test_of_one_seed_of_what_trains_no_difference_is_claimed() -> None:
    random = np.random.default_rng(2)
    right, wrong = random.random((1, 500)) < 0.95, random.random((1, 500)) < 0.4
    one = column(candidate("a", right), candidate("b", wrong))
    assert one.difference("a", "b") is None
    assert one.could_be_best() == {"a", "b"}
    blind = column(candidate("a", right, labelled=False), candidate("b", wrong, labelled=False))
    assert blind.could_be_best() == {"a"}


def test_clusters_widen_an_interval_as_much_as_whole_copies_do() -> None:
    random = np.random.default_rng(3)
    each = ((random.random(100) < 0.7) ^ (random.random((3, 100)) < 0.05)).astype(float)
    copied, clusters = np.repeat(each, 4, axis=1), np.repeat(np.arange(100), 4)
    whole = column(candidate("a", each)).interval("a")
    found = column(candidate("a", copied, clusters=clusters)).interval("a")
    assert found == pytest.approx(whole)
    naive = column(candidate("a", copied)).interval("a")
    assert (naive.high - naive.low) < 0.7 * (found.high - found.low)
    assert clustered(copied, np.arange(400)) == pytest.approx(copied)


def test_seeds_that_share_their_labels_say_less() -> None:
    of = SeedVariance(1.0, 6.0, 1.0)
    assert of.of_mean(4, 0.0) == (0.25, 6.0)
    assert of.of_mean(4, 0.5) == (1.25, 6.0)
    assert of.of_mean(4, 1.0) == (0.25, 6.0)  # said to be for this pool
    assert SeedVariance(1.0, 6.0, 0.4).of_mean(4, 0.5) == (0.65, 6.0)
    random, held, naive = np.random.default_rng(5), [], []
    for _ in range(1000):
        pool = random.normal(size=200)
        scores = np.array([random.choice(pool, 100, replace=False).mean() for _ in range(5)])
        half, own = stats.t.ppf(0.975, 4), float(scores.var(ddof=1))
        held.append(abs(scores.mean()) <= half * SeedVariance(own, 4, own).of_mean(5, 0.5)[0] ** 0.5)
        naive.append(abs(scores.mean()) <= half * SeedVariance(own, 4, own).of_mean(5, 0.0)[0] ** 0.5)
    assert np.mean(held) > 0.93
    assert np.mean(naive) < 0.8


def test_where_labels_bring_nothing_that_they_are_shared_widens_little() -> None:
    """Seeds that differ by their answers to the test examples alone: shared labels take nothing from that."""
    random, half, wider = np.random.default_rng(6), [], []
    for _ in range(40):
        ones = drawn(random, 5, 5, 300, sd=0.0)
        shared = [replace(one, overlap=0.5) for one in ones]
        for each, kept in ((ones, half), (shared, wider)):
            found = column(*each).interval("r0")
            kept.append(found.high - found.low)
    assert np.median(wider) < 1.15 * np.median(half)  # 1.45-fold if all that seeds differ by were widened


def test_a_regime_that_diverged_in_one_seed_stays_in_the_comparison(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    planned = factory.cell("full", 64, None)
    for one in planned[:2]:
        factory.record(one, 0.95)
    factory.record(planned[2], status="diverged")
    factory.cell("lora", 64, 0.5)
    (results,) = frame.load(factory.finish())
    found = frame.cells([results]).set_index("regime")
    assert found.loc["full", ["compared", "best", "could_be_best", "failed"]].tolist() == [True, True, True, 1]
    assert not found.loc["lora", ["best", "could_be_best"]].any()
    (one,) = frame.columns([results])
    assert one.candidate("full").failed == 1
    assert "Means without the seeds that failed: full at 64 (1 diverged)." in sections([results])[0].scores[0].notes


def test_a_baseline_that_is_better_takes_the_place_of_the_best(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    baselines = {"baselines": {"tf-idf": {"accuracy": 0.93}, "majority": {"accuracy": 0.5}}}
    factory.cell("lora", "all", 0.4, also=baselines)
    factory.cell("full", "all", 0.35, also=baselines)
    (results,) = frame.load(factory.finish())
    found = frame.cells([results])
    assert not found[["best", "could_be_best"]].any(axis=None)
    assert set(found["best_baselines"]) == {"tf-idf"}
    (table,) = sections([results])[0].scores
    assert [row[1].bold for row in table.foot if row[0].text.startswith("TF-IDF")] == [True]


def test_ties_are_all_best(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    none = {"baselines": {}}
    for regime in ("lora", "full"):
        factory.cell(regime, 64, 1.1, also=none)
    found = frame.cells(frame.load(factory.finish()))
    assert found["best"].tolist() == [True, True]
    assert found["could_be_best"].tolist() == [True, True]


def test_the_record_says_which_way_a_metric_that_is_not_installed_is_better(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    about = {"metrics": {"somebody-elses": {"lower_is_better": True, "range": [0.0, None]}}, "baselines": {}}
    factory.cell("lora", 64, 0.3, metric="somebody-elses", also=about)
    factory.cell("full", 64, 0.8, metric="somebody-elses", also=about)
    (results,) = frame.load(factory.finish())
    found = frame.cells([results]).set_index("regime")
    assert found["lower_is_better"].all()
    assert found["best"].to_dict() == {"lora": True, "full": False}
    (one,) = frame.columns([results])
    assert one.range == (0.0, math.inf)


def test_seeds_with_constant_answers_are_counted(tmp_path: Path) -> None:
    factory = Factory(tmp_path)
    planned = factory.cell("full", 64, None)
    for k, one in enumerate(planned):
        notes = ["every test example got the same answer"] if k else []
        factory.record(one, 0.5, facts={"notes": notes, "test_examples": 200})
    (results,) = frame.load(factory.finish())
    assert frame.cells([results])["degenerate"].tolist() == [2]
    notes = sections([results])[0].scores[0].notes
    assert "Seeds that gave every test example the same answer: full at 64 (2 of 3)." in notes
