"""Python's side: suites from dicts and frames, short names of things, and what models answered as a frame."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import factory
import numpy as np
import pandas as pd
import pytest
from plan_suite import plan

from bench import api
from bench.analysis import predictions
from bench.errors import DataError, SuiteError
from bench.execution.run_suite import Outcome
from bench.planning import lock as locks
from bench.suite.schema import Suite
from bench.trial.prepare import prepare


def rows(count: int = 40) -> pd.DataFrame:
    return pd.DataFrame({"text": [f"text {i}" for i in range(count)], "label": ["ab"[i % 2] for i in range(count)]})


def given(data: Any, **more: Any) -> dict[str, Any]:
    return {
        "name": "given",
        "models": {"m": "org/m"},
        "tasks": {"t": {"kind": "text-classification", "data": data, "splits": {"test": 0.2}, **more}},
        "regimes": {"zero-shot": None, "full": {"learning_rate": np.float64(1e-4)}},
        "sizes": (16,),
    }


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


def order(suite: Suite) -> dict[str, Any]:
    """What the worker is to bring of the one task."""
    nothing: dict[str, Any] = {"models": {}, "tasks": {}, "regimes": {}}
    (found,) = (order for section, _, _, order in locks.orders(suite, nothing) if section == "tasks")
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]


def test_a_dict_says_what_a_file_says() -> None:
    plain = given({"builtin": "python-docs"}) | {"regimes": {"zero-shot": None, "full": {"learning_rate": 1e-4}}}
    Path("s.yaml").write_text(json.dumps(plain))
    by_file, by_dict = api.load_suite("s.yaml"), api.load_suite(given({"builtin": "python-docs"}))
    assert (by_dict.models, by_dict.tasks, by_dict.regimes) == (by_file.models, by_file.tasks, by_file.regimes)
    assert api.plan(by_dict).cells == api.plan(by_file).cells


def test_frames_are_data_with_a_fingerprint_of_their_rows(cache: Path) -> None:
    suite = api.load_suite(given(rows()))
    first = prepare(order(suite))
    assert first["classes"]["train"] == [16, 16] or sum(first["classes"]["train"]) > 25
    again = prepare(order(api.load_suite(given(rows().set_index(np.arange(7, 47))))))
    assert again == first
    other = prepare(order(api.load_suite(given(rows(42)))))
    assert other["fingerprint"] != first["fingerprint"]
    both = api.load_suite(given({"frame": {"train": rows(), "test": rows(60)[40:]}}, splits={"test": "test"}))
    assert sum(prepare(order(both))["classes"]["test"]) == 20


def test_what_json_knows_in_frames_and_what_not() -> None:
    tags = [np.array(["a"]), ["a", "b"], []] * 10
    data = pd.DataFrame({"text": [f"t {i}" for i in range(30)], "labels": tags, "n": [1, None, np.nan] * 10})
    suite = api.load_suite(given(data, kind="multi-label-classification"))
    path = suite.tasks["t"].data.parameters.files  # type: ignore[attr-defined]
    assert [json.loads(line) for line in path.read_text().splitlines()][:2] == [
        {"text": "t 0", "labels": ["a"], "n": 1.0}, {"text": "t 1", "labels": ["a", "b"], "n": None}
    ]  # fmt: skip
    assert sum(prepare(order(suite))["classes"]["test"]) > 0
    for wrong, said in (
        (pd.DataFrame({"text": [pd.Timestamp(0)]}), "frame 'train', row 0: Object of type Timestamp"),
        (pd.DataFrame({0: ["a"]}), "column 0: every column needs a text for its name"),
        (rows(0), "frame 'train': holds no rows"),
    ):
        with pytest.raises(DataError) as caught:
            api.load_suite(given(wrong))
        assert str(caught.value).startswith(said) or said in str(caught.value)


def test_every_mistake_in_a_dict_is_named_by_its_place() -> None:
    wrong = given({"builtin": "python-docs"}, labels=rows(), max_length=float("nan"), metrics=["acuracy"])
    with pytest.raises(SuiteError) as caught:
        api.load_suite({**wrong, 3: 4, "modles": object()})
    problems = set(caught.value.problems)
    assert problems >= {
        "suite: a key must be a text, found 3",
        "suite: modles: expected a text, a number, a list or a mapping, found object",
        "suite: tasks.t.labels: expected a text, a number, a list or a mapping, found DataFrame; a frame belongs under "
        "a task's data",
        "suite: tasks.t.max_length: expected a finite number, found nan",
        "suite: tasks.t.metrics[0]: no metric is called 'acuracy'; did you mean 'accuracy'?",
    }
    with pytest.raises(SuiteError, match="suite: name: missing"):
        api.load_suite({})


def test_a_suite_may_be_named_and_only_may_be_one_text() -> None:
    asked = given({"builtin": "python-docs"}) | {"regimes": {"zero-shot": None, "full": {"learning_rate": 1e-4}}}
    Path("s.yaml").write_text(json.dumps(asked))
    wanted = [cell for cell in api.plan(api.load_suite("s.yaml")).cells if cell.names.regime == "full"]
    for suite in ("s.yaml", Path("s.yaml"), asked):
        assert api.plan(suite, only="regime=full").cells == wanted


def test_what_is_printed_is_short(tmp_path: Path) -> None:
    found = plan(tmp_path)
    outcome = Outcome(Path("results/plan"), 3, {"ok": 2, "failed": 1}, found, {"failed": 1})
    assert repr(outcome) == "<Outcome in results/plan: 3 trials executed (1 failed, 2 ok); 1 without a result>"
    assert repr(found).startswith("<Plan of plan: 5 cells (")
    assert repr(found.suite) == "<Suite plan: models tiny; tasks mood; regimes zero-shot, full, fixed>"


def test_answers_are_a_tidy_frame(tmp_path: Path) -> None:
    made = factory.Factory(tmp_path / "nlp", examples=20)
    made.cell("zero-shot", 0, 0.6, seeds=1)
    made.cell("lora", 64, 0.8, seeds=2, tuning=2, further=("imdb",))
    made.cell("full", 64, 0.7, seeds=2, artifacts=False)
    results = made.finish()
    found = api.predictions(results)
    assert len(found) == 60
    assert [*found.columns][:12] == [
        "suite", "task", "model", "regime", "size", "noise", "seed", "environment", "example", "template", "outcome",
        "label",
    ]  # fmt: skip
    assert set(found["answer"]) == {0}
    lora = api.predictions(results, ["regime=lora", "seed=1"])
    assert (len(lora), set(lora["seed"]), set(lora["regime"])) == (20, {1}, {"lora"})
    assert len(api.predictions(results, also_test="imdb")) == 30
    assert api.predictions(results, ["task=none"]).empty
    cells = api.cells(results)
    by_regime = cells.set_index("regime")["tuned_learning_rate"]
    assert by_regime["lora"] == 3e-4
    assert np.isnan(by_regime["full"])
    assert cells["tuned"].tolist() == ["", "learning_rate=0.0003", ""]


def test_classes_and_labels_are_called_by_their_words() -> None:
    record: Any = {"trial": {"task": {"parameters": {"labels": {"0": "bad", "1": "good"}}}}}
    classes = pd.DataFrame({"label": [0, 1], "log_probabilities": [[-1.0, -2.0], [-1.0, -2.0]]})
    assert predictions._worded(classes, record)[["label", "answer"]].to_numpy().tolist() == [
        ["bad"] * 2,
        ["good", "bad"],
    ]
    sets = pd.DataFrame({"labels": [[0, 1], []], "probabilities": [[0.1, 0.9], [0.2, 0.3]]})
    assert predictions._worded(sets, record)["answer"].tolist() == [["good"], []]
