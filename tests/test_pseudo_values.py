"""Pseudo-values of every metric: against leaving out every example, and from what files of predictions hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, matthews_corrcoef

from bench import plugins
from bench.analysis import outcomes
from bench.analysis.pseudo_values import recomputed
from bench.contracts import Metric, SumsMetric
from bench.trial.pseudo_values import GROUPS, drawn_groups, pseudo_values

N = 120


def metric(name: str) -> Metric:
    found = plugins.load("metrics", name)
    assert isinstance(found, Metric)
    return found


def classes(random: np.random.Generator) -> tuple[Any, Any]:
    labels = random.integers(0, 4, N)
    named = np.where(random.random(N) < 0.6, labels, random.integers(0, 4, N))
    return labels, np.log(np.eye(4)[named] * 0.7 + 0.3 / 4)


def label_sets(random: np.random.Generator) -> tuple[Any, Any]:
    return (random.random((N, 3)) < 0.4).astype(np.int8), random.random((N, 3))


def values(random: np.random.Generator) -> tuple[Any, Any]:
    there = np.round(random.normal(size=N) * 2)
    return there, np.round(there + 2 * random.normal(size=N))


def tags(random: np.random.Generator) -> tuple[Any, Any]:
    names = ["O", "O", "B-X", "I-X", "B-Y"]
    there = [list(random.choice(names, 6)) for _ in range(N)]
    return there, [[tag if random.random() < 0.8 else "O" for tag in one] for one in there]


def texts(random: np.random.Generator) -> tuple[Any, Any]:
    words = ["a", "b", "c", "d", "the", "quick", "brown", "fox", "jumps", "over", "lazy", "dog"]
    there = [[" ".join(random.choice(words, random.integers(3, 12)))] for _ in range(N)]
    return there, [" ".join(w for w in one[0].split() if random.random() < 0.8) for one in there]


def likelihoods(random: np.random.Generator) -> tuple[Any, Any]:
    tokens = random.integers(5, 40, N).astype(float)
    return None, np.stack([tokens * random.uniform(2, 4, N), tokens, tokens * 4], axis=1)


CASES = [
    *((name, classes) for name in ("accuracy", "brier", "macro-f1", "matthews", "calibration-error")),
    *((name, label_sets) for name in ("micro-f1", "label-macro-f1", "subset-accuracy")),
    *((name, values) for name in ("pearson", "spearman", "mean-squared-error")),
    ("entity-f1", tags),
    *((name, texts) for name in ("bleu", "bleu-char", "chrf", "rouge1", "exact-match")),
    *((name, likelihoods) for name in ("perplexity", "bits-per-byte")),
]


@pytest.mark.parametrize(("name", "draw"), CASES)
def test_pseudo_values_average_to_the_score_and_vary_as_the_jackknife_does(name: str, draw: Any) -> None:
    targets, answers = draw(np.random.default_rng(0))
    one = metric(name)
    found = pseudo_values(one, targets, answers)
    score = one.score(targets, answers)
    assert found.groups is None
    assert found.values.mean() == pytest.approx(score, abs=1e-6)

    def without(row: int) -> float:
        rows = [other for other in range(N) if other != row]
        kept = (
            None
            if targets is None
            else targets[rows]
            if isinstance(targets, np.ndarray)
            else [targets[r] for r in rows]
        )
        return one.score(kept, answers[rows] if isinstance(answers, np.ndarray) else [answers[r] for r in rows])

    jackknife = N * score - (N - 1) * np.array([without(row) for row in range(N)])
    assert found.values.std() == pytest.approx(jackknife.std(), rel=0.05)
    if jackknife.std() > 1e-9:
        assert np.corrcoef(found.values, jackknife)[0, 1] > 0.999


class Median(Metric):
    """No mean, no function of sums, and no influence of its own."""

    VERSION = 1
    TAKES = "values"
    RANGE = (0.0, float("inf"))

    def score(self, targets: Any, answers: Any) -> float:
        """The median error."""
        return float(np.median(np.abs(targets - answers)))


def test_any_metric_has_pseudo_values_by_groups_left_out() -> None:
    random = np.random.default_rng(1)
    spreads = []
    for _ in range(60):
        targets, answers = np.zeros(400), random.exponential(size=400)
        found = pseudo_values(Median(), targets, answers)
        assert found.groups is not None
        assert len(np.unique(found.groups)) == GROUPS
        assert found.values.mean() == pytest.approx(np.median(answers))
        each = np.array([found.values[found.groups == group][0] for group in range(GROUPS)])
        spreads.append(each.var(ddof=1) / GROUPS)
    assert np.mean(spreads) ** 0.5 == pytest.approx(0.05, rel=0.25)  # 1 / (2 f(m) √n), f(m) = 1/2


@given(st.integers(1, 300), st.integers(1, 60))
def test_groups_are_even_and_tear_no_cluster_apart(count: int, clusters: int) -> None:
    sizes = np.bincount(drawn_groups(count))
    assert sizes.max() - sizes.min() <= 1
    together = np.arange(count) % clusters
    groups = drawn_groups(count, together)
    assert all(len(set(groups[together == one])) == 1 for one in np.unique(together))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40))
def test_scores_from_sums_are_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    labels, named = (np.array(side) for side in zip(*pairs, strict=True))
    answers = np.log(np.eye(4)[named] * 0.7 + 0.3 / 4)
    expected = f1_score(labels, named, labels=range(4), average="macro", zero_division=0)
    assert metric("macro-f1").score(labels, answers) == pytest.approx(expected, abs=1e-12)
    if len(set(labels)) > 1 and len(set(named)) > 1:
        assert metric("matthews").score(labels, answers) == pytest.approx(matthews_corrcoef(labels, named), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.text("ab c", max_size=12), st.text("ab c", max_size=12)), min_size=1, max_size=6))
def test_bleu_and_chrf_from_sums_are_sacrebleus(pairs: list[tuple[str, str]]) -> None:
    references, answers = [[one] for one, _ in pairs], [one for _, one in pairs]
    for name in ("bleu", "bleu-char", "chrf"):
        one = metric(name)
        assert isinstance(one, SumsMetric)
        whole = one.of(one.sums(references, answers).sum(axis=0))
        assert float(whole) == pytest.approx(one.score(references, answers), abs=1e-9)


COLUMNS = {
    "classes": lambda targets, answers: {"label": targets, "log_probabilities": list(answers)},
    "label-sets": lambda targets, answers: {
        "labels": [np.flatnonzero(row).tolist() for row in targets], "probabilities": list(answers)
    },
    "values": lambda targets, answers: {"value": targets, "answer": answers},
    "tags": lambda targets, answers: {"tags": targets, "answer": answers},
    "texts": lambda targets, answers: {"references": targets, "answer": answers},
    "likelihoods": lambda targets, answers: dict(zip(("nats", "tokens", "bytes"), answers.T, strict=True)),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "draw"),
    [("macro-f1", classes), ("micro-f1", label_sets), ("spearman", values), ("entity-f1", tags), ("bleu", texts),
     ("perplexity", likelihoods)],
)  # fmt: skip
def test_files_of_earlier_versions_give_them_from_the_answers(tmp_path: Path, name: str, draw: Any) -> None:
    targets, answers = draw(np.random.default_rng(2))
    one = metric(name)
    table = {"example": np.arange(N), "template": np.zeros(N, dtype=int), "outcome": pa.nulls(N, pa.float32())}
    path = tmp_path / "predictions.parquet"
    pq.write_table(pa.table({**table, **COLUMNS[one.TAKES](targets, answers)}), path)
    score = one.score(targets, answers)
    assert outcomes.read(path, name, score) is None
    found = recomputed(path, name, score)
    assert found is not None
    assert np.allclose(found.values, pseudo_values(one, targets, answers).values, rtol=1e-5)
    with pytest.raises(ValueError, match="its record says"):
        recomputed(path, name, score + 0.5 * max(1, score))
    assert recomputed(path, "somebody-elses", score) is None
    assert recomputed(path, "accuracy" if one.TAKES != "classes" else "bleu", score) is None
