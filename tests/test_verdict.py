"""Planted truths come out as they were planted, and every formula agrees with another's."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import COSTS, column, row, sweep
from scipy import stats
from scipy.optimize import nnls
from sklearn.metrics import log_loss

from bench.analysis.column import Candidate, Column, Difference
from bench.analysis.verdict import across, complexity, left_out, quality, settle
from bench.analysis.verdict.adequate import adequate, quantile
from bench.analysis.verdict.between import between, labels
from bench.analysis.verdict.confidence import confidences
from bench.analysis.verdict.costs import by_cost, of_row
from bench.analysis.verdict.crossover import Ladder, crossover
from bench.analysis.verdict.curves import EXPONENTS, curve, fit
from bench.analysis.verdict.decision import decide
from bench.analysis.verdict.limits import Limits
from bench.analysis.verdict.neighbours import neighbours
from bench.analysis.verdict.transfer import needed, transfer
from bench.report.verdicts import sentence

SIZES = (125, 500, 2000, 8000)


def planted(size: int) -> dict[str, float]:
    """LoRA is as good as full at first, at 1,000 labels worse by just the tolerance of .01, and worse beyond."""
    full = 0.80 + 0.015 * math.log2(size / 125)
    behind = 0.01 * max(0.0, math.log2(size / 500))
    return {"zero-shot": 0.6, "linear-probe": 0.74, "lora": full - behind, "full": full, "retrain": full - 0.3}


@pytest.fixture(scope="module")
def ladder() -> Ladder:
    truths = {size: planted(size) for size in SIZES}
    return Ladder.of(sweep(truths, np.random.default_rng(7), examples=4_000, seed_sd=0.002, agree=0.97))


def test_lora_equal_to_full_up_to_a_thousand_labels_and_worse_after(ladder: Ladder) -> None:
    assert [decide(one).chosen for one in ladder.columns] == ["lora", "lora", "full", "full"]
    found = crossover(ladder, "lora", "full", margin=0.01)
    assert found is not None
    assert 500 < found.low < 1_000 < found.high < 2_000
    assert found.low < found.at < found.high


def test_the_crossover_covers_the_truth_in_other_draws_too() -> None:
    truths = {size: planted(size) for size in SIZES}
    hits = 0
    for seed in range(20):
        drawn = Ladder.of(sweep(truths, np.random.default_rng(seed), examples=1_000, seeds=3, agree=0.9))
        found = crossover(drawn, "lora", "full", margin=0.01)
        hits += found is not None and found.low <= 1_000 <= found.high
    assert hits >= 17


def test_what_never_overtakes_is_beyond_the_largest_size(ladder: Ladder) -> None:
    found = crossover(ladder, "full", "retrain")
    assert found is not None
    assert (found.low, found.high) == (8_000, math.inf)
    assert math.isnan(found.at)
    turned = crossover(ladder, "retrain", "full")
    assert turned is not None
    assert (turned.low, turned.high) == (0, 125)
    assert crossover(Ladder.of(ladder.columns[:1]), "lora", "full") is None


def test_costs_decide_among_the_adequate(ladder: Ladder) -> None:
    column = ladder.columns[0]
    assert decide(column).adequate == ("lora", "full")
    assert decide(column, "inference").chosen == "full"  # LoRA answers more slowly
    assert decide(column, "stored").chosen == "lora"
    assert (
        decide(column, limits=Limits(train_seconds=20)).chosen == "linear-probe"
    )  # its tuning counts: LoRA takes 40 s
    over = decide(column, limits=Limits(memory=1.05e9))
    assert over.chosen == "zero-shot"
    assert over.over.keys() == {"linear-probe", "lora", "full", "retrain"}
    assert decide(column, limits=Limits(memory=1)).why == "nothing is within the limits"


def test_costs_are_as_planted() -> None:
    assert of_row(row("lora", 64), "train-time") == 4 * COSTS["lora"]
    assert of_row({**row("lora", 64), "tuned_seeds": 3}, "train-time") == 2 * COSTS["lora"]
    assert of_row(row("zero-shot", 64), "train-time") == 0
    assert of_row(row("lora", 64), "total") == 5 + 4 * COSTS["lora"]
    assert of_row(row("full", 64), "memory") == 4e9
    assert of_row({**row("full", 64), "train_reserved_bytes": 2e9}, "memory") == 2e9
    assert of_row({"inference_examples_per_second": 50.0}, "inference") == 0.02
    assert math.isnan(of_row({}, "memory"))


def test_too_few_seeds_are_undecided_and_the_number_that_settles_it_does() -> None:
    truth = {"linear-probe": 0.7, "lora": 0.85, "full": 0.851}
    settled = 0
    for draw in range(20):
        few = decide(column(truth, np.random.default_rng(draw), seeds=3, seed_sd=0.01, examples=20_000, agree=0.99))
        if few.decided:
            settled += 1  # the draw was a kind one
            continue
        assert "linear-probe" in few.out
        assert few.settling is not None
        if few.settling.close or few.settling.seeds is None:
            continue
        enough = column(
            truth, np.random.default_rng(draw), seeds=few.settling.seeds, seed_sd=0.01, examples=20_000, agree=0.99
        )
        settled += decide(enough).decided
    assert settled >= 15


def lead(mean: float, seed_variance: float, example_variance: float, seeds: int = 3, examples: int = 500) -> Difference:
    se = math.sqrt(seed_variance / seeds + example_variance / examples)
    return Difference(
        mean, se, 5.0, mean - 2 * se, mean + 2 * se, seed_variance, seeds + 2.0, example_variance, seeds, examples
    )


@given(
    st.floats(-0.02, 0.009), st.floats(1e-6, 1e-4), st.floats(1e-6, 0.05), st.floats(0.005, 0.05)
)  # fmt: skip
def test_the_number_of_seeds_is_the_smallest_that_meets_its_formula(
    mean: float, seed_variance: float, example_variance: float, level: float
) -> None:
    one = lead(mean, seed_variance, example_variance)
    seeds = settle.seeds_needed(one, 0.01, level)

    def meets(count: int) -> bool:
        se = math.sqrt(seed_variance / count + example_variance / 500)
        sd = math.sqrt(seed_variance / 3 - seed_variance / count)
        df = se**4 / ((seed_variance / count) ** 2 / (3 + count - 1) + (example_variance / 500) ** 2 / 499)
        t = stats.t.isf(level, df)
        below = stats.norm.cdf(0.01 - t * se, loc=mean, scale=sd)
        above = stats.norm.sf(0.01 + t * se, loc=mean, scale=sd)
        return bool(below + above >= settle.POWER)

    if seeds is None:
        assert not any(meets(count) for count in range(4, settle.MOST_SEEDS + 1, 7))
    else:
        assert meets(seeds)
        assert seeds == 4 or not meets(seeds - 1)


def test_where_no_number_of_seeds_does_the_number_of_examples_is_given() -> None:
    one = lead(0.0, 1e-6, 0.05)
    assert settle.seeds_needed(one, 0.01, 0.05) is None
    enough = settle.examples_needed(one, 0.01, 0.05)
    assert enough is not None
    assert settle.chance(one, 0.01, 0.05, np.array([3.0]), np.array([float(enough)])) >= settle.POWER
    assert settle.chance(one, 0.01, 0.05, np.array([3.0]), np.array([enough / 1.1])) < settle.POWER


@given(st.floats(1e-4, 0.4), st.floats(1, 1e6))
def test_quantiles_are_scipy_s(level: float, df: float) -> None:
    assert quantile(level, df) == pytest.approx(stats.t.isf(level, df), rel=1e-6, abs=1e-9)
    assert quantile(level, math.inf) == pytest.approx(stats.norm.isf(level), rel=1e-4, abs=1e-6)


def test_adequacy_is_the_two_one_sided_tests_of_every_pair(ladder: Ladder) -> None:
    column = ladder.columns[1]
    found = adequate(column)
    names = [one.name for one in column.candidates]
    for name in names:
        leads = [column.difference(other, name) for other in names if other != name]
        assert all(leads)
        ends = [(one.mean - 0.01) / one.se for one in leads if one]  # TOST's statistic of each
        p_below = [stats.t.cdf(t, one.df) for t, one in zip(ends, leads, strict=True) if one]
        p_above = [stats.t.sf(t, one.df) for t, one in zip(ends, leads, strict=True) if one]
        expected = "adequate" if max(p_below) < 0.05 / 4 else "out" if min(p_above) < 0.05 / 4 else "open"
        assert found.standing[name] == expected


def test_one_seed_says_nothing_and_says_why() -> None:
    single = column({"zero-shot": 0.6, "lora": 0.8, "full": 0.9}, np.random.default_rng(0), seeds=1)
    verdict = decide(single)
    assert (verdict.chosen, verdict.settling) == (None, None)
    assert verdict.why.startswith("one seed says nothing")
    alone = replace(single, candidates=single.candidates[:1])
    assert decide(alone).why == "there is nothing to compare with: one regime has a score"
    assert decide(replace(single, candidates=())).why == "nothing has a score yet"


def test_a_regime_that_cannot_be_judged_leaves_nobody_adequate_and_a_baseline_does_not() -> None:
    several = column({"zero-shot": 0.6, "lora": 0.8, "full": 0.9}, np.random.default_rng(0))
    one = Candidate("partial", "partial", True, (0,), np.array([0.95]), None, None)
    verdict = decide(replace(several, candidates=(*several.candidates, one)))
    assert (verdict.chosen, verdict.why) == (None, "")
    assert verdict.adequacy.unclear == {"partial": "has one seed"}
    tfidf = Candidate("tf-idf", "baseline", True, (0,), np.array([0.5]), None, None)
    assert decide(replace(several, candidates=(*several.candidates, tfidf))).chosen == "full"


def test_a_verdict_names_what_it_could_not_compare() -> None:
    several = column({"zero-shot": 0.6, "lora": 0.8, "full": 0.9}, np.random.default_rng(0))
    assert "want of a score" not in sentence(decide(several))
    waiting = {"metric": "", "state": "missing"}
    rows = several.rows | {"partial": waiting, "few-shot": waiting | {"state": "not_applicable"}, "retrain": waiting}
    assert sentence(decide(replace(several, rows=rows))).endswith("for want of a score: partial and retrain.")


def test_a_baseline_that_is_enough_is_the_verdict() -> None:
    several = column({"zero-shot": 0.5, "lora": 0.85, "full": 0.85}, np.random.default_rng(1), examples=5_000)
    lora = several.candidate("lora")
    tfidf = replace(lora, name="tf-idf", kind="baseline", scores=lora.scores + 0.05, values=lora.values + 0.05)  # type: ignore[operator]
    assert decide(replace(several, candidates=(*several.candidates, tfidf))).chosen == "tf-idf"


def test_lower_is_better_turns_everything_round() -> None:
    accuracy = column({"lora": 0.6, "full": 0.8}, np.random.default_rng(2))
    wrong = [replace(one, scores=1 - one.scores, values=1 - one.values) for one in accuracy.candidates]  # type: ignore[operator]
    turned = replace(accuracy, metric="wer", lower_is_better=True, candidates=tuple(wrong))
    first, second = decide(accuracy), decide(turned)
    assert (first.chosen, first.out) == (second.chosen, second.out) == ("full", ("lora",))


def test_the_probability_of_being_right_and_the_regret() -> None:
    clear = confidences(column({"lora": 0.7, "full": 0.9}, np.random.default_rng(3)))
    assert clear["full"].right == 1
    assert math.isnan(clear["full"].regret)
    assert clear["lora"].right == 0
    assert clear["lora"].regret == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize(("mean", "sd"), [(0.0, 0.01), (0.009, 0.02), (0.02, 0.004), (-0.05, 0.03), (0.3, 0.2)])
def test_the_probability_of_being_right_is_that_of_bayes_under_its_prior(
    monkeypatch: pytest.MonkeyPatch, mean: float, sd: float
) -> None:
    """Of a lead that the scores alone put at a normal: integrated, with Cauchy's prior about the tolerance."""
    random = np.random.default_rng(1)
    drawn = np.stack([np.zeros(200_000), random.normal(mean, sd, 200_000)], axis=1)
    monkeypatch.setattr(Column, "draws", lambda *_: drawn)
    found = confidences(column({"lora": 0.7, "full": 0.7}, random, examples=10))["lora"]
    leads = np.linspace(mean - 9 * sd, mean + 9 * sd, 20_001)
    density = stats.norm.pdf(leads, mean, sd) * stats.cauchy.pdf(leads, 0.01, 0.01)
    beyond = leads > 0.01
    assert found.right == pytest.approx(density[~beyond].sum() / density.sum(), abs=5e-3)
    assert found.regret == pytest.approx((leads * density)[beyond].sum() / density[beyond].sum(), rel=0.03)


def test_what_is_cheap_and_looks_enough_is_not_said_to_be_right_too_often() -> None:
    """Where the cheaper is mostly the worse, draws alone say so five points too often."""
    random, said, right = np.random.default_rng(11), [], []
    for _ in range(150):
        truth = {"linear-probe": 0.8 - random.uniform(0, 0.06), "lora": 0.8 - random.uniform(0, 0.03), "full": 0.8}
        verdict = decide(column(truth, random, seeds=3, seed_sd=0.015, examples=1_000))
        said.append(verdict.right)
        right.append(0.8 - truth[str(verdict.guess)] <= 0.01)
    assert np.mean(said) <= np.mean(right) + 0.03


def test_between_two_sizes_lies_the_mean_and_what_is_shared_stays_shared(ladder: Ladder) -> None:
    first, second = ladder.columns[:2]
    half = between(first, second, 0.5, size=250)
    assert (half.size, [one.name for one in half.candidates]) == (250, [one.name for one in first.candidates])
    for name in ("lora", "full"):
        ends = [first.candidate(name).mean, second.candidate(name).mean]
        assert half.candidate(name).mean == pytest.approx(np.mean(ends))
    assert half.rows["lora"]["train_seconds"] == pytest.approx(COSTS["lora"])
    assert half.rows["lora"]["labels"] == pytest.approx(250)
    beyond = between(first, second, 2.0)
    inner, outer = half.difference("lora", "full"), beyond.difference("lora", "full")
    assert inner is not None
    assert outer is not None
    assert outer.se > 1.5 * inner.se


def test_the_size_of_all_is_what_was_counted() -> None:
    whole = column({"lora": 0.8}, np.random.default_rng(0), size="all")
    assert labels(whole) == 10_000
    assert math.isnan(labels(replace(whole, rows={})))


@settings(max_examples=25)
@given(st.floats(0, 0.3), st.floats(0.1, 1.0), st.floats(0.1, 1.2))
def test_a_curve_without_noise_is_found_again(a: float, b: float, c: float) -> None:
    sizes = [32.0, 128.0, 512.0, 2048.0, 8192.0]
    errors = np.array([a + b * (n / 32) ** -c for n in sizes])
    (found,) = fit(sizes, errors[None], np.ones(len(sizes)))
    again = np.array([found[0] + found[1] * n ** -found[2] for n in sizes])
    assert again == pytest.approx(errors, abs=0.01)


def test_curves_say_nothing_below_three_sizes_and_beyond_twice_the_largest(ladder: Ladder) -> None:
    found = curve(ladder.columns, "full")
    assert found is not None
    mean, low, high = found.score(8_000)
    assert low < mean < high
    assert mean == pytest.approx(planted(8_000)["full"], abs=0.01)
    with pytest.raises(ValueError, match="more than twice the largest size"):
        found.score(16_001)
    assert curve(ladder.columns[:2], "full") is None
    assert curve(ladder.columns, "zero-shot") is None
    with pytest.raises(ValueError, match="needs 3 sizes"):
        fit([1.0, 2.0], np.array([[0.5, 0.4]]), np.ones(2))


def test_what_pretraining_is_worth_in_labels() -> None:
    truths = {n: {"full": 0.7 + 0.05 * k, "retrain": 0.6 + 0.05 * k} for k, n in enumerate((100, 200, 400, 800))}
    found = transfer(sweep(truths, np.random.default_rng(4), examples=20_000, seed_sd=0.001), "full", "retrain")
    # full at n is retrain at 4n
    assert found[0].extra == pytest.approx(300, rel=0.15)
    assert found[0].low < 300 < found[0].high
    assert [one.at_least for one in found] == [False, found[1].at_least, True, True]
    assert (found[2].extra, found[2].high) == (400, math.inf)
    assert needed(np.array([100.0, 400.0]), np.array([0.5, 0.7]), 0.6) == pytest.approx(200)
    assert needed(np.array([100.0, 400.0]), np.array([0.5, 0.7]), 0.8) == math.inf


def test_code_lengths_are_those_of_their_definition() -> None:
    random = np.random.default_rng(5)
    logits = random.normal(size=(400, 3))
    right = random.integers(0, 3, 400)
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = log_loss(right, np.exp(log_probabilities)) / math.log(2)
    assert complexity.nll(log_probabilities, right) == pytest.approx(expected)
    assert complexity.scaled_nll(log_probabilities, right) == pytest.approx(math.log2(3), abs=0.05)  # it knows nothing
    assert complexity.prequential([64, 512], [0.5, 0.1], 4) == pytest.approx((64 * 2 + 448 * 0.5) / 512)
    found = complexity.code_length("lora", [64, 512], np.array([[0.5, 0.1], [0.7, 0.1]]), 4)
    assert found is not None
    assert found.bits == pytest.approx((64 * 2 + 448 * 0.6) / 512)
    assert found.low < found.bits < found.high
    assert complexity.code_length("lora", [64], np.array([[0.5]]), 4) is None


def test_a_temperature_mends_confidence_that_is_too_great() -> None:
    random = np.random.default_rng(6)
    logits = random.normal(size=(4_000, 2)) * 2
    shares = np.exp(logits[:, 1]) / np.exp(logits).sum(axis=1)
    right = (random.random(4_000) < shares).astype(np.int64)
    assert complexity.best_temperature(5 * logits, right) == pytest.approx(5, rel=0.1)
    assert complexity.scaled_nll(5 * logits, right) == pytest.approx(complexity.nll(logits, right), abs=0.01)


def test_the_slope_of_noise_is_the_line_s() -> None:
    truths = {0.0: 0.9, 0.2: 0.8, 0.4: 0.7}
    columns = [
        column({"lora": score, "full": 0.9}, np.random.default_rng(8), noise=rate, seed_sd=0.003)
        for rate, score in truths.items()
    ]
    found = quality.slope(columns, "lora")
    assert found is not None
    scores = np.array([one.candidate("lora").scores for one in columns])
    each = [stats.linregress(list(truths), scores[:, seed]).slope for seed in range(5)]
    assert found.per_unit == pytest.approx(np.mean(each))
    assert found.low < -0.5 < found.high
    expected = stats.t.interval(0.95, 4, np.mean(each), stats.sem(each))
    assert (found.low, found.high) == pytest.approx(expected)
    assert quality.slope(columns[:1], "lora") is None
    assert quality.changes([("lora", "lora"), ("lora", "full"), (None, "full")]) == (1, 2)


@given(st.lists(st.floats(0, 1), min_size=4, max_size=30))
def test_the_interquartile_mean_is_that_of_the_middle_half(scores: list[float]) -> None:
    cut = len(scores) // 4
    assert across.interquartile_mean(np.array(scores)) == pytest.approx(
        np.mean(sorted(scores)[cut : len(scores) - cut])
    )


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=8), st.lists(st.integers(0, 5), min_size=1, max_size=8)
)  # fmt: skip
def test_the_probability_of_improvement_is_that_of_its_definition(first: list[int], second: list[int]) -> None:
    expected = np.mean([(a > b) + 0.5 * (a == b) for a in first for b in second])
    assert across.improvement([np.array(first, float)], [np.array(second, float)]) == pytest.approx(expected)


def test_regimes_over_several_tasks() -> None:
    tasks = [
        column({"zero-shot": 0.5, "lora": 0.7, "full": 0.9}, np.random.default_rng(seed), task=f"t{seed}")
        for seed in range(3)
    ]
    found = across.across(tasks)
    assert [one.name for one in found] == ["full", "lora", "zero-shot"]
    assert found[0].iqm == pytest.approx(1, abs=0.02)
    assert found[0].low <= found[0].iqm <= found[0].high
    assert across.improvements(tasks, ["lora", "full"]) == {("lora", "full"): 0, ("full", "lora"): 1}
    assert across.across(tasks[:1]) == []


def test_neighbours_that_cannot_be_told_apart_are_counted(ladder: Ladder) -> None:
    apart = column({"lora": 0.7, "full": 0.9, "retrain": 0.5}, np.random.default_rng(9))
    alike = column({"lora": 0.7, "full": 0.7}, np.random.default_rng(9))
    assert neighbours([apart]) == (0, 2)
    assert neighbours([apart, alike]) == (1, 3)


def test_what_a_verdict_costs_where_it_was_not_given(ladder: Ladder) -> None:
    verdicts = [decide(one) for one in ladder.columns]
    assert left_out.largest(verdicts).regrets == (pytest.approx(0, abs=0.3),)  # full at both
    assert left_out.largest(verdicts[:3]).regrets[0] == pytest.approx(2, abs=0.5)  # LoRA's .02 in tolerances of .01
    assert left_out.tasks(verdicts).regrets == ()
    found = left_out.halves(ladder.columns)
    assert len(found.regrets) == 4
    assert found.within >= 3


def test_the_cheapest_comes_first_and_what_is_unknown_last(ladder: Ladder) -> None:
    column = ladder.columns[0]
    assert by_cost(column, "train-time") == ["zero-shot", "linear-probe", "lora", "full", "retrain"]
    lost = replace(column, rows={name: row for name, row in column.rows.items() if name != "lora"})
    assert by_cost(lost, "memory")[-1] == "lora"


@given(st.lists(st.floats(0.01, 1), min_size=4, max_size=4), st.integers(0, 199))
def test_the_fit_is_the_best_of_bounded_least_squares_at_every_exponent(errors: list[float], place: int) -> None:
    sizes, weights = [32.0, 128.0, 512.0, 2048.0], np.array([1.0, 2.0, 3.0, 4.0])
    c = EXPONENTS[place]
    design = np.stack([np.ones(4), np.array(sizes) ** -c], axis=1)
    _, rest = nnls(design * weights[:, None], np.array(errors) * weights)
    (found,) = fit(sizes, np.array([errors]), weights)
    own = (found[0] + found[1] * np.array(sizes) ** -found[2] - errors) * weights
    assert np.sqrt((own**2).sum()) <= rest + 1e-6
