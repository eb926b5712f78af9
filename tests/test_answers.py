"""Stored predictions read back as metrics take them: what each objective keeps, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import plugins
from bench.analysis import answers
from bench.trial import evaluation

N, CLASSES, TEMPLATES = 7, 3, 2


def kept(folder: Path, columns: dict[str, Any], templates: int = TEMPLATES, order: Any = None) -> Path:
    """A file of predictions as a trial writes it, its rows in another order."""
    whole = {
        "example": np.tile(np.arange(N) * 3, templates),
        "template": np.repeat(np.arange(templates), N),
        "outcome": np.full(templates * N, np.nan, dtype=np.float32),
        **columns,
    }
    order = range(templates * N) if order is None else order
    shuffled = {
        name: values[list(order)] if isinstance(values, np.ndarray) else [values[row] for row in order]
        for name, values in whole.items()
    }
    evaluation.save(folder / "a", {"curve": {}, "predictions": shuffled})
    return folder / "a" / "predictions.parquet"


def drawn(kind: str) -> tuple[Any, Any]:
    """Targets and answers of a kind, [n] and [templates][n]."""
    random = np.random.default_rng(3)
    words = [[f"w{i}", "der Hund"] for i in range(N)]
    confusion = np.tile(random.integers(0, 9, (N, CLASSES, CLASSES + 1), dtype=np.int32), (TEMPLATES, 1, 1, 1))
    tags = [["O", "B-PER"][: 1 + i % 2] for i in range(N)]
    return {
        "classes": lambda: (
            random.integers(0, CLASSES, N),
            np.log(random.dirichlet(np.ones(CLASSES), (TEMPLATES, N))).astype(np.float32),
        ),
        "label-sets": lambda: (
            random.integers(0, 2, (N, CLASSES)).astype(np.int8),
            random.random((TEMPLATES, N, CLASSES)).astype(np.float32),
        ),
        "values": lambda: (random.random(N), random.random((TEMPLATES, N))),
        "tags": lambda: (tags, [tags, [list(reversed(one)) for one in tags]]),
        "texts": lambda: (words, [["w1"] * N, [one[0] for one in words]]),
        "masks": lambda: (confusion[0].sum(axis=2), confusion),
        "likelihoods": lambda: (None, 1 + random.random((TEMPLATES, N, 3))),
    }[kind]()


@pytest.mark.parametrize("objective", plugins.names("objectives"))
def test_what_an_objective_keeps_gives_the_same_scores(objective: str, tmp_path: Path) -> None:
    plugin = plugins.load("objectives", objective)
    targets, given = drawn(plugin.ANSWERS)
    order = np.random.default_rng(1).permutation(TEMPLATES * N)
    found = answers.read(kept(tmp_path, plugin.columns(targets, given), order=order))
    assert found.kind == plugin.ANSWERS
    assert found.examples.tolist() == (np.arange(N) * 3).tolist()
    metrics = [m for m in plugins.names("metrics") if plugins.load("metrics", m).TAKES == plugin.ANSWERS]
    metrics = [m for m in metrics if m not in ("bertscore", "meteor")]  # which need what is not at hand here
    assert len(metrics) >= 1
    wanted = evaluation.by_template(metrics, targets, given)
    for metric, values in evaluation.by_template(metrics, found.targets, found.answers).items():
        assert values == pytest.approx(wanted[metric], nan_ok=True), metric


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"label": np.full(N, 3), "log_probabilities": [np.zeros(3, np.float32)] * N}, "none of its 3 classes"),
        ({"label": np.zeros(N, int), "log_probabilities": [np.zeros(1 + i % 2) for i in range(N)]}, "unequal length"),
        ({"labels": [[5]] * N, "probabilities": [np.zeros(3, np.float32)] * N}, "labels that are none of its 3"),
        ({"tags": [["O"]] * N, "answer": [["O", "O"]] * N}, "more or fewer tags than words"),
        ({"value": np.full(N, np.inf), "answer": np.zeros(N)}, "no finite numbers"),
        ({"references": [["a"]] * N, "answer": list(range(N))}, "are no texts"),
        ({"confusion": [[1] * 11] * N}, "no table of classes by classes"),
        ({"confusion": [[1] * (6 + 6 * (i % 2)) for i in range(N)]}, "no table of classes by classes"),
        ({"confusion": [[1, 2, 3, 4, 5, -1]] * N}, "no table of classes by classes"),
        ({"guess": np.zeros(N)}, "no answers of a kind that is known"),
    ],
)
def test_what_is_no_answer_is_refused(columns: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said):
        answers.read(kept(tmp_path, columns, templates=1))
