"""Tuning: each seed tries a few values on its own labels; of those as good as the best the one nearest to the default.

Each test stands for a fault that numbers had before: see docs/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_suite import locked, suite

from bench import plugins
from bench.analysis.results import Results
from bench.analysis.tuning import chosen, expected_best, seconds, trials, tuning_curves
from bench.errors import SuiteError
from bench.modeling.models.facts import Facts
from bench.planning.plan import Cell, Plan, build, replan
from bench.planning.summary import older
from bench.planning.tuning import MOST, Search, first_values, searched
from bench.suite.schema import Regime, Suite
from bench.suite.trial import Trial
from bench.training.one_standard_error import Outcome, choose

GRID = (1.58e-05, 5e-05, 0.000158)
Scores = Callable[[Trial], float | None]


def record(trial: Trial, score: float | None, metric: str = "accuracy", examples: int = 40) -> dict[str, Any]:
    """A trial that got so many of its held-out examples right, always the same ones first; None: it failed."""
    if score is None:
        return {"status": "diverged", "trial": trial.to_json()}
    parts = [1.0] * round(score * examples) + [0.0] * (examples - round(score * examples))
    scores = {"metric": metric, "validation": {metric: score}, "validation_parts": parts}
    return {"status": "ok", "scores": scores, "trial": trial.to_json()}


def run(found: Suite, lock: dict[str, Any], scores: Scores, metric: str = "accuracy") -> tuple[Plan, int]:
    """The plan when nothing is missing, and how many trials that took."""
    latest: dict[str, Any] = {}
    plan = build(found, lock, latest)
    while missing := [t for t in plan.trials().values() if t.id not in latest]:
        for trial in missing:
            latest[trial.id] = record(trial, scores(trial), metric)
            plan = replan(plan, trial, lock, latest, frozenset())
        assert plan.to_json() == build(found, lock, latest).to_json()  # by whatever way it came about
    return plan, len(latest)


def cell(plan: Plan, regime: str = "full", size: int | str = 40, noise: float = 0.0) -> Cell:
    return next(c for c in plan.cells if (c.names.regime, c.size, c.noise) == (regime, size, noise))


def by_rate(of: dict[float, float | None]) -> Scores:
    return lambda trial: of.get(trial.tuned.get("learning_rate", 0.0), 0.5)


def test_each_seed_is_tuned_by_itself_and_reports_one_of_the_trials_it_was_tuned_by(tmp_path: Path) -> None:
    found = suite(tmp_path)
    lock = locked(found, [100, 100])
    first = cell(build(found, lock, {}))
    assert (first.state, len(first.tuning), first.reported) == ("waiting", 9, [])
    assert sorted({t.tuned["learning_rate"] for t in first.tuning}) == pytest.approx(GRID)
    assert {t.seed for t in first.tuning} == {0, 1, 2}  # the seeds that are reported, on their own labels

    def scores(trial: Trial) -> float:
        best = GRID[trial.seed] if trial.tuned else 0
        return 0.9 if math.isclose(trial.tuned.get("learning_rate", 0), best) else 0.5

    plan, _ = run(found, lock, scores)
    done = cell(plan)
    assert [t.tuned["learning_rate"] for t in done.reported] == [GRID[0], GRID[1], GRID[2]]
    assert [t.seed for t in done.reported] == [0, 1, 2]
    assert len(done.trials) == 9 + 2  # a seed whose best is on the edge looks one further, and nothing runs twice
    assert {t.id for t in done.reported} <= {t.id for t in first.tuning}
    kept = plan.to_json()
    assert {kept["trials"][t.id]["purpose"] for t in done.tuning} == {"tuning"}
    assert {kept["trials"][t.id]["purpose"] for t in done.reported} == {"reported"}
    (one,) = [c for c in kept["cells"] if (c["regime"], c["size"]) == ("full", 40)]
    assert [c["chosen"] for c in one["choices"]] == [*GRID]
    assert one["tuned"] == {"learning_rate": GRID[1]}


def test_noisy_labels_are_tuned_on_as_they_are(tmp_path: Path) -> None:
    found = suite(tmp_path, **{"sizes: [5, 40]": "sizes: [40]\nlabel_noise: [0, 0.2]"})
    noisy = cell(build(found, locked(found, [100, 100]), {}), noise=0.2)
    assert {t.noise for t in noisy.tuning} == {0.2}
    assert len(noisy.tuning) == 9


def test_a_best_value_that_is_no_better_than_the_default_is_not_chosen(tmp_path: Path) -> None:
    """12 of 13 against 11 of 13 once chose a rate that is worse by .13 on the test split."""
    found = suite(tmp_path)
    plan, _ = run(found, locked(found, [100, 100]), by_rate({GRID[0]: 37 / 40, GRID[1]: 36 / 40, GRID[2]: 0.2}))
    assert {t.tuned["learning_rate"] for t in cell(plan).reported} == {GRID[1]}
    assert not cell(plan).to_json()["on_edge"]


def test_exact_ties_take_the_default_and_mark_nothing(tmp_path: Path) -> None:
    found = suite(tmp_path)
    plan, _ = run(found, locked(found, [100, 100]), lambda trial: 0.5)
    assert cell(plan).to_json()["choices"] == [
        {"seeds": [seed], "values": [*GRID], "chosen": GRID[1], "on_edge": False} for seed in range(3)
    ]


def test_on_the_edge_a_seed_looks_further_to_hard_bounds_and_at_most_six_values(tmp_path: Path) -> None:
    found = suite(tmp_path)
    lock = locked(found, [100, 100])

    def always(trial: Trial) -> float:
        return (math.log10(trial.tuned.get("learning_rate", 1e-4)) + 6) / 5

    higher = cell(run(found, lock, always)[0]).tried[0]
    assert (len(higher.values), higher.chosen, higher.on_edge) == (5, max(higher.values), True)
    high = plugins.load("regimes", "full").TUNED.high
    assert max(higher.values) <= high < max(higher.values) * math.sqrt(10)
    wide = suite(tmp_path, **{"full: ,": "full: {learning_rate: [1e-9, 1]},"})
    widest = cell(run(wide, lock, always)[0]).tried[0]
    assert (len(widest.values), widest.on_edge) == (MOST, True)
    lower = cell(run(found, lock, lambda trial: 1 - always(trial))[0]).tried[0]
    assert (len(lower.values), lower.on_edge) == (4, True)  # the next would leave the model as good as untrained
    peaked = by_rate({GRID[2]: 0.8, 0.0005: 0.9})
    (one, *_) = cell(run(found, lock, peaked)[0]).to_json()["choices"]
    assert (one["chosen"], one["on_edge"], len(one["values"])) == (0.0005, False, 5)


def test_a_value_that_fails_is_not_chosen_and_a_seed_without_any_is_reported_as_it_is(tmp_path: Path) -> None:
    found = suite(tmp_path)
    lock = locked(found, [100, 100])
    some = cell(run(found, lock, by_rate({GRID[1]: None, GRID[2]: None}))[0])
    assert {t.tuned["learning_rate"] for t in some.reported} == {GRID[0]}
    none = cell(run(found, lock, lambda trial: None)[0])
    assert (none.state, {t.tuned["learning_rate"] for t in none.reported}) == ("planned", {GRID[1]})


@pytest.mark.parametrize(("metric", "chosen"), [("accuracy", 2), ("brier", 0)])
def test_the_metric_says_which_way_is_better(metric: str, chosen: int, tmp_path: Path) -> None:
    found = suite(tmp_path, **{"trials: 3": "trials: 3"})
    lock = locked(found, [100, 100])
    scores = by_rate({GRID[0]: 0.1, GRID[1]: 0.5, GRID[2]: 0.9, 0.0005: 0.5, 5e-06: 0.5})
    plan, _ = run(found, lock, scores, metric)
    assert {t.tuned["learning_rate"] for t in cell(plan).reported} == {GRID[chosen]}


def test_one_value_for_all_seeds_is_a_named_option(tmp_path: Path) -> None:
    found = suite(tmp_path, **{"{trials: 3}": "{trials: 3, select: shared}"})
    lock = locked(found, [100, 100])

    def scores(trial: Trial) -> float:
        table = {GRID[0]: (0.9, 0.2, 0.2), GRID[1]: (0.5, 0.5, 0.5), GRID[2]: (0.2, 0.7, 0.9)}
        return table.get(trial.tuned.get("learning_rate", 0), (0.1, 0.1, 0.1))[trial.seed]

    plan, _ = run(found, lock, scores)
    (one,) = cell(plan).to_json()["choices"]
    assert (one["seeds"], one["chosen"]) == ([0, 1, 2], GRID[2])
    assert plan.to_json()["select"] == "shared"
    with pytest.raises(SuiteError, match=r"tuning.seeds: unknown key"):
        suite(tmp_path, **{"{trials: 3}": "{trials: 3, seeds: 2}"})


def search(**changes: Any) -> Search:
    fields = {"parameter": "learning_rate", "low": 1e-5, "high": 1e-2, "start": 3e-4, "own": True, "within": False}
    return Search(**{**fields, **changes})


@given(st.integers(1, 9), st.floats(0.1, 5))
def test_values_lie_around_the_default_and_two_are_never_the_two_ends(count: int, decades: float) -> None:
    over = search(low=1e-4, high=1e-4 * 10**decades, start=1e-4 * 10 ** (decades / 2))
    values = first_values(over, count)
    assert len(values) == count
    assert all(over.low <= value <= over.high for value in values)
    steps = np.diff(np.log(values))
    assert (steps <= math.log(10) / 2 * 1.01).all()
    if count == 2:
        assert over.low * 1.01 < values[0] < over.start < values[1] < over.high * 0.99


@pytest.mark.parametrize("kind", plugins.names("regimes"))
def test_no_default_is_an_end_and_kinds_of_models_have_their_own(kind: str) -> None:
    plugin = plugins.load("regimes", kind)
    if plugin.TUNED is None:
        return
    regime = Regime(kind, plugin.Parameters())
    resnet = '{"model_type": "resnet", "architectures": ["ResNetForImageClassification"]}'
    for config in ('{"model_type": "bert"}', '{"model_type": "gpt2"}', '{"model_type": "vit"}', resnet):
        for optimizer in ("adamw", "sgd"):
            found = searched(regime, Facts.from_files({"config.json": config}), optimizer)
            assert found is not None
            assert found.low * 3 < found.start < found.high / 3


def test_sgd_is_tuned_decades_higher_and_convolutional_networks_higher_than_transformers() -> None:
    def start(model: str, optimizer: str) -> float:
        plugin = plugins.load("regimes", "full")
        config = f'{{"model_type": "{model}", "architectures": ["XForImageClassification"]}}'
        found = searched(Regime("full", plugin.Parameters()), Facts.from_files({"config.json": config}), optimizer)
        assert found is not None
        return found.start

    assert start("vit", "adamw") < start("resnet", "adamw") < start("resnet", "sgd") / 10


@given(
    st.lists(st.lists(st.floats(0, 1), min_size=8, max_size=8), min_size=2, max_size=6),
    st.integers(0, 5),
)
def test_what_is_chosen_is_as_good_as_the_best_within_one_standard_error(parts: list[list[float]], start: int) -> None:
    values = [10.0**i for i in range(len(parts))]
    begin = values[start % len(values)]
    outcomes = [[Outcome(float(np.mean(one)), np.array(one))] for one in parts]
    chosen, on_edge = choose(values, begin, outcomes)
    means = [of[0].score for of in outcomes]
    best = int(np.argmax(means))
    difference = np.array(parts[best]) - np.array(parts[chosen])
    assert difference.mean() <= difference.std(ddof=1) / 8**0.5 + 1e-6
    for i, one in enumerate(parts):  # nothing nearer to the default is as good
        other = np.array(parts[best]) - np.array(one)
        if abs(i - values.index(begin)) < abs(chosen - values.index(begin)):
            assert other.mean() > other.std(ddof=1) / 8**0.5 - 1e-6
    assert not on_edge or chosen in (0, len(values) - 1)


def test_results_of_the_older_protocol_are_named_and_not_mixed(tmp_path: Path) -> None:
    found = suite(tmp_path)
    plan = build(found, locked(found, [100, 100]), {})
    trial = cell(plan).tuning[0].to_json()
    old: Any = {"status": "ok", "trial": {**trial, "id": "0" * 16, "purpose": "reported"}}
    del old["trial"]["protocol"]
    assert older([old], plan) is not None
    assert "1 results are of an older protocol" in str(older([old], plan))
    assert older([{**old, "trial": {**trial, "id": "0" * 16}}], plan) is None
    assert older([{**old, "trial": {**old["trial"], "size": 0}}], plan) is None


def test_what_tuning_tried_and_what_more_of_it_would_have_brought(tmp_path: Path) -> None:
    found = suite(tmp_path)
    lock = locked(found, [100, 100])
    plan, _ = run(found, lock, by_rate({GRID[0]: 0.2, GRID[1]: 0.8, GRID[2]: 0.5}))
    costs = {"costs": {"seconds": {"total": 5.0, "test": 2.0}}}
    records: Any = [
        record(t, {GRID[0]: 0.2, GRID[1]: 0.8, GRID[2]: 0.5}.get(t.tuned.get("learning_rate", 0), 0.5)) | costs
        for t in plan.trials().values()
    ]
    results = Results("plan", plan.to_json(), records, [], tmp_path)
    tried = trials(results)
    of = tried[(tried["regime"] == "full") & (tried["size"] == 40)]
    assert len(of) == 9
    assert set(of[of["chosen"]]["value"]) == {GRID[1]}
    assert set(of["seconds"]) == {3.0}  # tuning needs no test
    assert "test" not in tried.columns  # what was not chosen has a test score that nobody looks at
    curve = tuning_curves(of)
    assert curve["trials"].tolist() == [1, 2, 3]
    assert curve["expected"].tolist() == pytest.approx(expected_best([0.2, 0.8, 0.5]).tolist())
    (place,) = (p for p in results.places if (p.cell["regime"], p.cell["size"]) == ("full", 40))
    spent = chosen(place)
    assert (spent.tuned, spent.edges, spent.trials, spent.apart) == ({"learning_rate": GRID[1]}, 0, 9, 3)
    assert seconds(place.tuning) == 6 * 3.0
