"""What verdicts rest on against plain computations of its definitions, on random inputs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import column, sweep
from scipy import optimize, stats

from bench.analysis.verdict import across, complexity, settle
from bench.analysis.verdict.between import between
from bench.analysis.verdict.crossover import Ladder, crossover
from bench.analysis.verdict.curves import curve
from bench.analysis.verdict.transfer import needed

SEEDS = st.integers(0, 10**6)


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.integers(2, 4))
def test_a_crossover_is_where_a_plain_test_of_every_size_puts_it(seed: int, seeds: int) -> None:
    random = np.random.default_rng(seed)
    sizes = np.array([100.0, 400.0, 1600.0])
    lead = np.sort(random.uniform(-0.08, 0.08, 3))
    truths = {int(n): {"a": 0.7, "b": 0.7 + x, "c": 0.5} for n, x in zip(sizes, lead, strict=True)}
    columns = sweep(truths, random, examples=400, seeds=seeds, seed_sd=0.01)
    found = crossover(Ladder.of(columns), "a", "b")
    assert found is not None
    known = [one.difference("b", "a") for one in columns]
    middle = [between(*columns[k : k + 2], 0.5).difference("b", "a") for k in range(2)]
    at = np.append(
        np.concatenate([sizes[k] * (sizes[k + 1] / sizes[k]) ** (np.arange(48) / 48) for k in range(2)]), 1600
    )
    means = np.interp(np.log(at), np.log(sizes), [one.mean for one in known if one])
    borrowed = min(one.seed_df - seeds + 1 for one in known if one)

    def variances(leads: Any) -> tuple[list[float], list[float]]:
        pooled = np.mean([one.seed_variance for one in leads])
        return [(one.seed_variance + pooled) / 2 / seeds for one in leads], [
            one.example_variance / 400 for one in leads
        ]

    half = []
    for k, size in enumerate(at):
        step = min(k // 48, 1)
        both = []
        for ends, inner in zip(variances(known), variances(middle), strict=True):
            three = [ends[step], inner[step], ends[step + 1]]
            part = math.log(size / sizes[step]) / math.log(4)
            both.append(max(np.polyval(np.polyfit([0, 0.5, 1], three, 2), part), min(three) / 4))
        df = sum(both) ** 2 / (both[0] ** 2 / (borrowed + (seeds - 1) * 12 / 6) + both[1] ** 2 / 399)
        half.append(stats.t.ppf(0.975, df) * math.sqrt(sum(both)))
    below = [size for size, m, h in zip(at, means, half, strict=True) if m + h < 0]
    low = below[-1] if below else 0.0
    later = [size for size, m, h in zip(at, means, half, strict=True) if m - h > 0 and size > low]
    assert (found.low, found.high) == pytest.approx((low, later[0] if later else math.inf))
    turns = [k for k in range(2) if known[k].mean <= 0 < known[k + 1].mean]  # type: ignore[union-attr]
    if known[-1].mean > 0 and turns:  # type: ignore[union-attr]
        zero = optimize.brentq(
            lambda x: np.interp(x, np.log(sizes), [one.mean for one in known if one]),
            *np.log(sizes[turns[-1] : turns[-1] + 2]),
        )
        assert found.at == pytest.approx(math.exp(zero), rel=1e-6)


@given(SEEDS, st.floats(0, 1))
def test_the_size_a_score_needs_is_interpolated_along_the_logarithm(seed: int, target: float) -> None:
    random = np.random.default_rng(seed)
    sizes, scores = np.cumprod(random.uniform(1.5, 4, 5)), random.random(5)
    best = [max(scores[: k + 1]) for k in range(5)]  # a fall is flat
    fine = np.linspace(np.log(sizes[0]), np.log(sizes[-1]), 20_001)
    reached = fine[np.interp(fine, np.log(sizes), best) >= target]
    expected = math.exp(reached[0]) if len(reached) else math.inf
    assert needed(sizes, scores, target) == pytest.approx(expected, rel=1e-3)


@given(st.floats(-0.02, 0.0095), st.floats(1e-5, 1e-3), st.floats(1e-4, 0.05))
@settings(max_examples=40)
def test_the_number_of_examples_is_the_first_that_suffices(mean: float, seed_variance: float, each: float) -> None:
    spread = math.sqrt(seed_variance / 3 + each / 500)
    lead = replace_lead(mean, spread, seed_variance, each)
    found = settle.examples_needed(lead, 0.01, 0.0125)

    def chance(examples: float) -> float:
        parts = [(seed_variance / 3, 5.0), (each / examples, examples - 1)]
        se = math.sqrt(parts[0][0] + parts[1][0])
        df = se**4 / sum(v**2 / d for v, d in parts)
        t, sd = stats.t.isf(0.0125, df), math.sqrt(each / 500 - each / examples)
        return float(stats.norm.cdf((0.01 - mean - t * se) / sd) + stats.norm.cdf((mean - 0.01 - t * se) / sd))

    if found is None:
        assert max(chance(n) for n in np.geomspace(600, 1e7, 50)) < settle.POWER
    else:
        assert chance(found) >= settle.POWER
        assert found < 560 or chance(found / 1.06) < settle.POWER


def replace_lead(mean: float, se: float, seed_variance: float, each: float) -> Any:
    """A lead of three seeds and 500 examples, two of its five degrees of freedom its own."""
    whole = column({"a": 0.7, "b": 0.7}, np.random.default_rng(0), seeds=3, examples=50).difference("a", "b")
    assert whole is not None
    return replace(
        whole, mean=mean, se=se, seed_variance=seed_variance, seed_df=5.0, example_variance=each, seeds=3, examples=500
    )


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.floats(0.3, 4))
def test_the_best_temperature_is_that_of_a_grid(seed: int, sharp: float) -> None:
    random = np.random.default_rng(seed)
    logits = random.normal(size=(300, 3))
    right = np.array([random.choice(3, p=np.exp(x) / np.exp(x).sum()) for x in logits])

    def bits(temperature: float) -> float:
        shares = np.exp(sharp * logits / temperature)
        own = shares[np.arange(300), right] / shares.sum(axis=1)
        return float(-np.log2(own).mean())

    found = complexity.best_temperature(sharp * logits, right)
    grid = np.geomspace(1 / 20, 20, 400)
    assert bits(found) <= min(map(bits, grid)) + 1e-4
    assert complexity.nll(sharp * logits, right, found) == pytest.approx(bits(found))


@given(st.lists(st.tuples(st.floats(1, 999), st.floats(0, 3)), min_size=2, max_size=6), st.integers(2, 9))
def test_a_code_length_is_paid_label_by_label(blocks: list[tuple[float, float]], classes: int) -> None:
    sizes = np.cumsum([math.ceil(n) for n, _ in blocks]).tolist()
    paid = sizes[0] * math.log2(classes)
    for label in range(sizes[0], sizes[-1]):
        paid += blocks[max(k for k, size in enumerate(sizes) if size <= label)][1]
    found = complexity.prequential(sizes, [loss for _, loss in blocks], classes)
    assert found == pytest.approx(paid / sizes[-1])


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_over_tasks_scores_are_normalised_and_redrawn_within_tasks(seed: int) -> None:
    random = np.random.default_rng(seed)
    tasks = [
        column({"a": random.uniform(0.5, 0.7), "b": 0.8}, random, seeds=4, seed_sd=0.03, task=f"t{k}", examples=300)
        for k in range(3)
    ]
    found = {one.name: one for one in across.across(tasks)}
    cells = []
    for one in tasks:
        best = max(c.mean for c in one.candidates)
        cells.append([score / best for score in one.candidate("a").scores])  # accuracy's floor is 0
    whole = sorted(x for cell in cells for x in cell)
    assert found["a"].iqm == pytest.approx(np.mean(whole[3:9]))
    draws = [
        np.mean(sorted(x for cell in cells for x in random.choice(cell, len(cell)))[3:9]) for _ in range(1500)
    ]  # fmt: skip
    low, high = np.quantile(draws, [0.025, 0.975])
    assert (found["a"].low, found["a"].high) == pytest.approx((low, high), abs=0.25 * (high - low) + 1e-9)


def test_a_curve_s_interval_holds_what_twice_the_largest_size_gives() -> None:
    random, held = np.random.default_rng(3), []
    for _ in range(60):
        a, b, c = random.uniform(0.02, 0.1), random.uniform(0.5, 1.5), random.uniform(0.3, 0.7)
        truths = {n: {"full": 1 - a - b * n**-c, "lora": 0.5} for n in (64, 256, 1024, 4096)}
        found = curve(sweep(truths, random, examples=1_000, seeds=5, seed_sd=0.004), "full")
        assert found is not None
        _, low, high = found.score(8192)
        held.append(low <= 1 - a - b * 8192**-c <= high)
    assert np.mean(held) >= 0.88
