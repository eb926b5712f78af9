"""The difference that matters: one for each metric's own scale, or what the suite says."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from plan_suite import locked, suite

from bench.analysis.tolerance import said, tolerance, words
from bench.errors import SuiteError
from bench.planning.plan import build


@pytest.mark.parametrize(
    ("metric", "best", "wanted"),
    [
        ("accuracy", 0.9, 0.01),
        ("entity-f1", 0.9, 0.01),
        ("matthews", 0.5, 0.01),
        ("bleu", 30.0, 1.0),
        ("chrf", 50.0, 1.0),
        ("perplexity", math.e**3, math.e**3.06 - math.e**3),
        ("mean-absolute-error", 5.0, 0.1),
        ("of-another-package", 5.0, 0.01),
    ],
)
def test_each_metric_has_one_on_its_own_scale(metric: str, best: float, wanted: float) -> None:
    assert tolerance(metric, None, best) == pytest.approx(wanted)
    assert tolerance(metric, 0.5, best) == tolerance(metric, {metric: 0.5}, best) == 0.5
    assert tolerance(metric, {"other": 0.5}, best) == pytest.approx(wanted)


def test_it_is_said_in_words() -> None:
    found = [words(metric, None) for metric in ("accuracy", "bleu", "perplexity", "mean-squared-error")]
    assert found == ["0.01", "1", "2 % of its logarithm", "2 % of the score"]


def test_the_plan_carries_what_the_suite_says(tmp_path: Path) -> None:
    for text, wanted in (("", None), ("tolerance: 0.03", 0.03), ("tolerance: {accuracy: 0.03}", {"accuracy": 0.03})):
        found = suite(tmp_path, **{"seeds: 3": f"seeds: 3\n{text}"})
        plan = build(found, locked(found, [9, 9]), {}).to_json()
        assert said({"protocol": 2, **plan}) == wanted
    assert said({"tolerance": 0.01}) is None  # a plan of before, which holds the default of then
    with pytest.raises(SuiteError, match="no metric is called 'acuracy'; did you mean 'accuracy'"):
        suite(tmp_path, **{"seeds: 3": "seeds: 3\ntolerance: {acuracy: 0.03}"})
